"""The examples of CONTRIBUTING.md, followed to the letter in a copy of the package."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from tests.specs import ROOT

TEXT = (ROOT / "CONTRIBUTING.md").read_text()
PLUG_INS = {
    "router.yaml": "routers/sigmoid",
    "corpus.yaml": "corpora/sums",
    "figure.yaml": "figures/drops",
}
FINDS = {
    "routers/sigmoid": ["tests/contracts/test_routers.py", "-k", "sigmoid"],
    "corpora/sums": ["tests/corpora/test_corpus_contract.py", "-k", "sums"],
    "figures/drops": [
        "tests/figures/test_publish.py",
        "tests/figures/test_analysed_tables.py",
        "-k",
        "drops",
    ],
}


def example(name):
    """The code block whose first line says that it is this file."""
    [block] = re.findall(
        rf"^```\w+\n# {re.escape(name)}\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE
    )
    return block


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The package, its config and its tests, with the three plug-ins added as told."""
    folder = tmp_path_factory.mktemp("copy")
    for name in ("moebench", "config", "tests", "rules", "report", "resources", "workflow", "envs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Snakefile", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    if (ROOT / ".mypy_cache").is_dir():  # what mypy knows of the libraries; it looks at ours anew
        shutil.copytree(ROOT / ".mypy_cache", folder / ".mypy_cache")
    for plug_in in PLUG_INS.values():
        (folder / "moebench" / f"{plug_in}.py").write_text(example(f"moebench/{plug_in}.py"))
    for name in PLUG_INS:
        (folder / name).write_text(example(name))
    return folder


def python(folder, *arguments):
    """Run a module in the copy; returns the finished process, output merged."""
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.slow
def test_each_example_is_explained_under_its_name(copy):
    text = python(copy, "moebench.spec", "--explain").stdout
    for plug_in in PLUG_INS.values():
        assert f"| `{plug_in.partition('/')[2]}` | " in text
    assert "| `sums` | `largest` | integer | `100` |" in text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("overlay", "num_runs"), [("router.yaml", 42), ("corpus.yaml", 36), ("figure.yaml", 36)]
)
def test_the_lines_of_config_are_valid(copy, overlay, num_runs):
    checked = python(copy, "moebench.spec", overlay)
    assert checked.stdout.splitlines()[0] == f"unified: {num_runs} runs"


def test_the_examples_are_in_good_style(copy):
    files = [f"moebench/{plug_in}.py" for plug_in in PLUG_INS.values()]
    checked = python(copy, "ruff", "check", *files)
    assert checked.returncode == 0, checked.stdout
    formatted = python(copy, "ruff", "format", "--check", *files)
    assert formatted.returncode == 0, formatted.stdout


@pytest.mark.slow
def test_the_examples_are_typed(copy):
    checked = python(copy, "mypy", *(f"moebench/{plug_in}.py" for plug_in in PLUG_INS.values()))
    assert checked.returncode == 0, checked.stdout


@pytest.mark.slow
@pytest.mark.parametrize("plug_in", FINDS)
def test_the_contract_tests_find_the_example_and_pass(copy, plug_in):
    tested = python(copy, "pytest", "-p", "no:cacheprovider", *FINDS[plug_in])
    assert tested.returncode == 0, tested.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("overlay", "job"),
    [
        ("router.yaml", "run: sigmoid_"),
        ("corpus.yaml", "corpora/sums/"),
        ("figure.yaml", "unified_drops"),
    ],
)
def test_the_workflow_plans_the_example(copy, overlay, job):
    planned = python(copy, "snakemake", "--configfile", overlay, "--cores", "2", "--dry-run", "all")
    assert planned.returncode == 0, planned.stdout
    assert job in planned.stdout.replace("run=", "run: ")
