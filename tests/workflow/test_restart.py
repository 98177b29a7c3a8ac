"""Killed anywhere, run again: nothing is lost."""

import contextlib
import os
import signal
import subprocess
import time

import pandas as pd
import psutil
import pytest

pytestmark = pytest.mark.slow

VOLATILE = ["wall_s", "peak_resident_bytes", "peak_allocated_bytes"]


def table(repository):
    runs = pd.read_csv(repository.folder / "results/tables/unified.csv")
    return runs.drop(columns=[name for name in VOLATILE if name in runs])


def test_killed_workflow_ends_with_the_table_of_an_undisturbed_one(finished):
    undisturbed = table(finished)
    folder = finished.folder / "results/runs/unified"
    for rows in folder.glob("softk_*/rows.jsonl"):
        rows.unlink()
    for name in ("unified.csv", "unified_summary.csv"):
        (finished.folder / "results/tables" / name).unlink()
    process = subprocess.Popen(
        finished.command("all"),
        cwd=finished.folder,
        env=finished.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    children = _wait_for_jobs(process)
    for each in (process.pid, *(child.pid for child in children)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)
    process.wait()
    left = len(list(folder.glob("softk_*/rows.jsonl")))
    assert left < 4, "the kill came too late"

    assert finished.snakemake("--unlock").returncode == 0
    again = finished.snakemake("--rerun-incomplete", "all")
    assert again.returncode == 0, again.stdout
    pd.testing.assert_frame_equal(table(finished), undisturbed)
    assert not list(folder.glob("*/checkpoint.pt"))
    assert finished.planned() == set()


def _wait_for_jobs(process):
    """Processes of a workflow, once training jobs have had the time to start."""
    while process.poll() is None:
        children = psutil.Process(process.pid).children(recursive=True)
        if any("train_router" in _command(child) for child in children):
            time.sleep(2)
            return psutil.Process(process.pid).children(recursive=True)
        time.sleep(0.05)
    raise AssertionError("the workflow ended before it could be killed")


def _command(process):
    """What a process was called with; nothing, when it ended meanwhile."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return " ".join(process.cmdline())
    return ""
