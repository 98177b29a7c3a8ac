"""Advice as a user asks for it: printed as often as asked, and every number in its table."""

import json

import pytest

from moebench import tables
from moebench.report.advice.written import TITLE
from tests.advice.evidence import unaccounted

pytestmark = pytest.mark.slow


def test_every_number_of_the_advice_stands_in_its_table(smoke_run):
    answers = json.loads((smoke_run / "results/advice.json").read_text())["answers"]
    names = {number["table"] for each in answers for number in each["numbers"]}
    found = {name: tables.read_plain(smoke_run / f"results/tables/{name}.csv") for name in names}
    assert len(names) >= 5
    for each in answers:
        assert unaccounted(each, found) == []
        if each["figure"]:
            assert (smoke_run / f"results/figures/{each['figure']}.svg").exists()


def test_asking_again_prints_again_and_measures_nothing(finished):
    text = (finished.folder / "results/advice.txt").read_text()
    for _ in range(2):
        run = finished.snakemake("--quiet", "all", "--cores", "2", "advise")
        assert run.returncode == 0, run.stdout
        assert text in run.stdout
        assert TITLE in text


def test_an_unknown_experiment_is_refused_with_what_there_is(finished):
    given = ("--config", "advice={experiment: unifed}", "--cores", "2", "--dry-run")
    run = finished.snakemake(*given)
    assert run.returncode != 0
    assert "advice.experiment" in run.stdout
    assert "unified" in run.stdout


def test_the_report_begins_with_the_advice(smoke_run):
    first = next(
        line
        for line in (smoke_run / "report/workflow.rst").read_text().splitlines()
        if line.startswith(".. include::")
    )
    assert first.endswith("results/advice.rst")
    assert (smoke_run / "results/advice.rst").read_text().startswith(TITLE)
