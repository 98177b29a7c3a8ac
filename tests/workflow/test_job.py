"""What happens around a rule's one call: log, error, sidecar."""

import importlib.util
import json
import sys
from types import SimpleNamespace

import pytest

from tests.specs import ROOT


@pytest.fixture
def job(monkeypatch):
    """The context manager of all scripts; the path it extends is put back."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    path = ROOT / "workflow" / "scripts" / "job.py"
    spec = importlib.util.spec_from_file_location("job", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.job


class Files(list):
    """A list of paths, some of which have names, as Snakemake gives them."""

    def __init__(self, **named):
        super().__init__(named.values())
        vars(self).update(named)


@pytest.fixture
def rule(tmp_path):
    (tmp_path / "in.txt").write_text("in")
    output = Files(rows=str(tmp_path / "out.txt"), sidecar=str(tmp_path / "out.prov.json"))
    params = {"code": {"modules": [], "digest": "0"}}
    return SimpleNamespace(
        rule="measure",
        input=Files(tokens=str(tmp_path / "in.txt")),
        output=output,
        params=params,
        log=[str(tmp_path / "log.txt")],
    )


def test_what_is_printed_stands_in_the_log_and_on_the_terminal(job, rule, tmp_path, capsys):
    with job(rule):
        print("10 %\r20 %", file=sys.stderr)
        print("done")
        (tmp_path / "out.txt").write_text("out")
    assert (tmp_path / "log.txt").read_text() == "10 %\n20 %\ndone\n"
    assert "done" in capsys.readouterr().err


def test_a_finished_job_is_described_in_its_sidecar(job, rule, tmp_path):
    with job(rule):
        (tmp_path / "out.txt").write_text("out")
    described = json.loads((tmp_path / "out.prov.json").read_text())
    assert described["rule"] == "measure"
    assert list(described["inputs"]) == ["in.txt"]
    assert list(described["outputs"]) == ["out.txt"]
    assert described["params"] == rule.params


@pytest.mark.parametrize("mistake", [ValueError("dim=3 is odd"), OSError("disk is full")])
def test_a_users_mistake_ends_in_one_line_and_its_traceback_in_the_log(
    job, rule, tmp_path, capsys, mistake
):
    with pytest.raises(SystemExit) as ended, job(rule):
        raise mistake
    assert ended.value.code == 1
    assert capsys.readouterr().err == f"error: {mistake}\n"
    assert "Traceback" in (tmp_path / "log.txt").read_text()
    assert not (tmp_path / "out.prov.json").exists()


@pytest.mark.parametrize("fault", [AssertionError("ours"), KeyboardInterrupt()])
def test_our_own_fault_is_not_hidden(job, rule, tmp_path, fault):
    with pytest.raises(type(fault)), job(rule):
        raise fault
    assert "Traceback" in (tmp_path / "log.txt").read_text()
    assert not (tmp_path / "out.prov.json").exists()
