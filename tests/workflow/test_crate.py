"""A finished run can be handed on as a Provenance Run RO-Crate."""

import hashlib
import json
import os
import re
import subprocess
from urllib.parse import unquote

import pytest

from tests.specs import ROOT

pytestmark = pytest.mark.slow

MOST_CHECKS = 80  # a validator that looked at fewer has not looked


@pytest.fixture(scope="module")
def python():
    """Interpreter of the environment that `make crate` makes."""
    made = subprocess.run(["make", ".venv-crate/.ready"], cwd=ROOT, capture_output=True, text=True)
    assert made.returncode == 0, made.stdout + made.stderr
    return ROOT / ".venv-crate" / "bin" / "python"


def run(python, *command, cwd):
    environment = {**os.environ, "PYTHONPATH": str(cwd)}
    return subprocess.run(
        [python, *map(str, command)], cwd=cwd, env=environment, capture_output=True, text=True
    )


@pytest.fixture(scope="module")
def crate(python, smoke_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("packed") / "crate"
    packed = run(python, "-m", "moebench.crate", "results", folder, cwd=smoke_run)
    assert packed.returncode == 0, packed.stderr
    return folder


def entities(crate):
    graph = json.loads((crate / "ro-crate-metadata.json").read_text())["@graph"]
    return {entity["@id"]: entity for entity in graph}


def validated(python, crate):
    """What the validator finds, and how many checks it made."""
    answer = run(python, ROOT / "tests" / "validate_crate.py", crate, cwd=ROOT)
    assert answer.returncode == 0, answer.stderr
    *issues, last = answer.stdout.splitlines()
    assert int(re.match(r"(\d+) checks", last)[1]) >= MOST_CHECKS
    return issues


def test_a_crate_passes_every_required_check_and_a_spoilt_one_does_not(python, crate, tmp_path):
    assert validated(python, crate) == []
    text = (crate / "ro-crate-metadata.json").read_text()
    (crate / "ro-crate-metadata.json").write_text(text.replace('"HowTo"', '"Thing"'))
    assert [each for each in validated(python, crate) if "provenance-run-crate" in each]
    (crate / "ro-crate-metadata.json").write_text(text)


def test_every_file_of_a_crate_is_there_with_its_hash(crate):
    files = {name: each for name, each in entities(crate).items() if "sha256" in each}
    assert {"results/tables/unified.csv", "results/figures/claims_verdicts.svg"} <= set(files)
    assert "resources/published/unified.csv" in files
    for name, entity in files.items():
        content = (crate / unquote(name)).read_bytes()
        assert hashlib.sha256(content).hexdigest() == entity["sha256"]


def listed(value):
    """One value is written without its list."""
    return value if isinstance(value, list) else [value]


def test_every_figure_is_the_result_of_a_job_that_read_its_tables(crate):
    found = entities(crate)
    figure = {"@id": "results/figures/unified_frontier.svg"}
    jobs = [each for name, each in found.items() if name.startswith("#job")]
    [drawn] = [each for each in jobs if figure in listed(each["result"])]
    assert drawn["instrument"] == {"@id": "workflow/scripts/draw_figure.py"}
    assert [each["@id"] for each in listed(drawn["object"])] == [
        f"results/tables/unified_{table}.csv" for table in ("attainment", "summary")
    ]


def test_a_run_that_is_not_finished_is_refused_in_one_line(python, smoke_run, tmp_path):
    answer = run(python, "-m", "moebench.crate", tmp_path, tmp_path / "x", cwd=smoke_run)
    assert (answer.returncode, answer.stderr.count("\n")) == (1, 1)
    assert "no figures; run the workflow to its end first" in answer.stderr
