import json
import shutil

import pytest
import synthetic
from typer.testing import CliRunner

from moebench import provenance, sidecar, trace

app = trace.typer.Typer()
app.command()(trace.main)


def run(path):
    return CliRunner().invoke(app, [str(path)])


def test_an_untouched_chain_is_followed_down_to_the_corpus(svg):
    for product in (svg, svg.with_suffix(".png"), svg.with_suffix(".json")):
        answer = run(product)
        assert answer.exit_code == 0, answer.output
        lines = answer.stdout.splitlines()
        assert all(line.strip().startswith("ok") for line in lines)
        assert any("manifest.json" in line and "export_corpus" in line for line in lines)
        assert sum("rows.jsonl" in line for line in lines) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "victim",
    [
        "figures/unified_frontier.svg",
        "figures/unified_frontier.png",
        "tables/unified_summary.csv",
        "runs/unified/hash_seed=0/rows.jsonl",
        "corpora/tales/char/tokens.json",
        "corpora/tales/manifest.json",
    ],
)
def test_a_file_changed_by_hand_is_named(results, svg, victim):
    with open(results / victim, "a") as file:
        file.write(" ")
    answer = run(svg)
    assert answer.exit_code == 1
    bad = [line for line in answer.stdout.splitlines() if "BAD" in line]
    assert bad
    assert all(victim in line for line in bad)
    assert len(answer.stderr.splitlines()) == 1
    assert f"{victim} is not what" in answer.stderr


@pytest.mark.slow
def test_a_table_changed_before_the_figure_was_drawn_is_named(results):
    with open(results / "tables/unified_summary.csv", "a") as file:
        file.write("\n")
    answer = run(synthetic.draw(results, "frontier"))
    assert answer.exit_code == 1
    assert "unified_summary.csv is not what summarise_runs wrote" in answer.stderr


def test_code_that_changed_since_is_named(svg, monkeypatch):
    monkeypatch.setattr(provenance, "code_digest", lambda *modules: "another")
    answer = run(svg)
    assert answer.exit_code == 1
    assert "the code of draw_figure has changed since (moebench.figures.frontier)" in answer.stderr


def test_a_module_that_is_gone_counts_as_changed(svg, monkeypatch):
    monkeypatch.setattr(provenance, "exists", lambda module: "frontier" not in module)
    assert run(svg).exit_code == 1


def test_what_is_missing_is_one_clear_line(results, svg, tmp_path):
    (results / "corpora/tales/manifest.json").unlink()
    assert "manifest.json is missing" in run(svg).stderr
    svg.with_suffix(".json").unlink()
    for product, message in ((svg, "no sidecar beside it"), (tmp_path / "no.svg", "no such file")):
        answer = run(product)
        assert answer.exit_code == 1
        assert message in answer.stderr
        assert answer.stderr.count("\n") == 1


def test_a_broken_sidecar_is_one_clear_line(svg):
    svg.with_suffix(".json").write_text("{")
    answer = run(svg)
    assert (answer.exit_code, answer.stderr.count("\n")) == (1, 1)
    assert "unified_frontier.json: not a sidecar" in answer.stderr


@pytest.mark.parametrize(
    ("victim", "old", "new", "message"),
    [
        ("figures/unified_frontier.json", '"caption": "', '"caption": "x', "not as it was written"),
        ("figures/unified_frontier.json", "\n", "\n\n", "not as it was written"),
        ("tables/summarise_runs.prov.json", "\n", " \n", "not as it was written"),
        (
            "tables/summarise_runs.prov.json",
            '"rule": "',
            '"rule": "x',
            "summarise_runs.prov.json is not what",
        ),
        (
            "corpora/tales/export_corpus.prov.json",
            '"manifest.json"',
            '"moved.json"',
            "has no sidecar",
        ),
    ],
)
def test_a_sidecar_changed_by_hand_is_named(results, svg, victim, old, new, message):
    text = (results / victim).read_text()
    assert old in text
    (results / victim).write_text(text.replace(old, new, 1))
    answer = run(svg)
    assert answer.exit_code == 1
    assert message in answer.stderr
    assert ("manifest.json" if new == '"moved.json"' else victim) in answer.stderr


def test_a_table_can_be_traced_too(results):
    answer = run(results / "tables/unified_summary.csv")
    assert answer.exit_code == 0, answer.output
    assert "manifest.json" in answer.stdout


def test_a_moved_results_folder_still_holds(results, tmp_path):
    moved = tmp_path / "elsewhere/deeper/results"
    shutil.copytree(results, moved)
    shutil.rmtree(results)
    assert run(moved / "figures/unified_frontier.svg").exit_code == 0


def test_a_figures_sidecar_reaches_the_corpus_and_carries_specs_and_code(results, svg):
    content = json.loads(svg.with_suffix(".json").read_text())
    rules = [job["rule"] for job in content["chain"]]
    assert rules[0] == "draw_figure"
    assert sorted(set(rules)) == sorted(
        ["draw_figure", "summarise_runs", "train_router", "tokenise_corpus", "export_corpus"]
    )
    assert {job["params"].get("router") for job in content["chain"]} >= {"softk_seed=0"}
    assert all(len(job["params"]["code"]["digest"]) == 16 for job in content["chain"])
    manifest = provenance.file_digest(results / "corpora/tales/manifest.json")
    assert content["chain"][-1]["outputs"] == {"../corpora/tales/manifest.json": manifest}


def test_a_file_no_job_wrote_has_no_sidecar(results):
    assert sidecar.beside(results / "tables" / "mine.csv") is None
