"""Whatever is drawn leads back to the text, and a byte changed on the way is found."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from moebench import trace

pytestmark = pytest.mark.slow

app = trace.typer.Typer()
app.command()(trace.main)


@pytest.fixture
def here(finished, monkeypatch):
    """Folder with finished results, as the working directory."""
    monkeypatch.chdir(finished.folder)
    return finished.folder


def traced(figure):
    return CliRunner().invoke(app, [str(figure)])


def figures():
    """The sidecar of every figure of the run."""
    found = sorted(Path("results/figures").glob("*.json"))
    assert len(found) > 30
    return found


def levels(figure):
    """One file of every job behind a figure, and one raw input of every job that has any."""
    chain = json.loads(figure.read_text())["chain"]
    written = {name for job in chain for name in job["outputs"]}
    read = {name for job in chain for name in job["inputs"]}
    found = {}
    for job in chain:
        seen = [name for name in job["outputs"] if name in read or job is chain[0]]
        found.setdefault(job["rule"], seen[-1])
        for name in set(job["inputs"]) - written:
            found.setdefault(f"raw input of {job['rule']}", name)
    return {level: os.path.relpath(figure.parent / name) for level, name in found.items()}


def flip(path):
    """Change one bit of the byte in the middle of a file; doing it twice undoes it."""
    content = bytearray(Path(path).read_bytes())
    content[len(content) // 2] ^= 1
    Path(path).write_bytes(content)


def named(answer):
    return {line.split()[1] for line in answer.stderr.splitlines()}


def test_every_figure_leads_back_and_names_every_file_that_changed_on_the_way(here):
    seen = set()
    for figure in figures():
        answer = traced(figure)
        assert answer.exit_code == 0, answer.output
        spoilt = levels(figure)
        seen |= set(spoilt)
        for path in spoilt.values():
            flip(path)
        answer = traced(figure.with_suffix(".png"))
        assert (answer.exit_code, named(answer)) == (1, set(spoilt.values())), figure
        for path in spoilt.values():
            flip(path)
    assert seen >= {
        *("draw_figure", "tabulate", "train_router", "trace_routing", "time_router"),
        *("tokenise_corpus", "export_corpus", "judge_claims", "pretrain_base", "measure_energy"),
        *("sweep_layouts", "raw input of judge_claims", "raw input of redraw_published_perft"),
    }


def test_a_single_byte_at_any_level_is_enough(here):
    figure = Path("results/figures/claims_verdicts.json")
    spoilt = levels(figure)
    weights = "results/runs/unified/softk_capacity_factor=1.0_seed=0/weights.pt"
    assert {Path(path).suffix for path in spoilt.values()} >= {".svg", ".csv", ".jsonl", ".npy"}
    for path in (*spoilt.values(), weights):
        flip(path)
        answer = traced(figure)
        assert (answer.exit_code, named(answer)) == (1, {path})
        flip(path)
    assert traced(figure).exit_code == 0


def test_a_byte_of_a_sidecar_is_enough(here):
    figure = Path("results/figures/unified_frontier.json")
    for path in (
        figure,
        Path("results/tables/unified.prov.json"),
        Path("results/corpora/stdlib_docs/corpus.prov.json"),
    ):
        flip(path)
        answer = traced(figure)
        assert answer.exit_code == 1
        assert str(path) in answer.stderr or path.parent.name in answer.stderr
        flip(path)


REDRAW = """
import json, sys
from pathlib import Path
from moebench.figures import base
for figure in map(Path, sys.argv[1:]):
    content = json.loads(figure.read_text())
    job, name = content["chain"][0], content["figure"]
    drawn = sorted(job["inputs"], key=len)
    tables = {}
    for wanted in base.registry.constant("figures", name, "columns"):
        of_name = [path for path in drawn if path.endswith(f"_{wanted}.csv")]
        tables[wanted] = figure.parent / (of_name or drawn)[0]
    kinds = {"svg": ".svg", "png": ".png", "json": ".json", "caption": ".rst"}
    outputs = {k: Path("redrawn", figure.name).with_suffix(v) for k, v in kinds.items()}
    base.publish(name, tables, outputs, rule=job["rule"], params=job["params"])
"""


def of_different_tables():
    """One figure for each set of tables: the others of the set are drawn from the same rows."""
    found = {}
    for figure in figures():
        tables = tuple(json.loads(figure.read_text())["chain"][0]["inputs"])
        found.setdefault(tables, figure)
    return list(found.values())


def test_figures_are_byte_identical_when_another_process_draws_them(here):
    """Another order of sets, as every process has its own, must not show."""
    drawn_again = of_different_tables()
    subprocess.run(
        [sys.executable, "-c", REDRAW, *map(str, drawn_again)],
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "1"},
    )
    for figure in drawn_again:
        for ending in (".svg", ".png", ".rst"):
            drawn = figure.with_suffix(ending)
            assert drawn.read_bytes() == Path("redrawn", drawn.name).read_bytes(), drawn


def test_the_report_says_where_every_figure_comes_from(here):
    page = Path("results/report/provenance.html").read_text()
    for figure in figures():
        assert json.loads(figure.read_text())["chain"][0]["outputs"][f"{figure.stem}.svg"] in page
