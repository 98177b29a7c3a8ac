"""Killed anywhere, run again: nothing is lost."""

import os
import signal
import subprocess
import time

import pandas as pd
import psutil
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("smoke")]

VOLATILE = ["wall_s", "peak_resident_bytes", "peak_allocated_bytes"]


def table(repository):
    runs = pd.read_csv(repository.folder / "results/tables/unified.csv")
    return runs.drop(columns=[name for name in VOLATILE if name in runs])


def test_killed_workflow_ends_with_the_table_of_an_undisturbed_one(finished):
    undisturbed = table(finished)
    folder = finished.folder / "results/runs/unified"
    for rows in folder.glob("softk_*/rows.jsonl"):
        rows.unlink()
    process = subprocess.Popen(
        finished.command("all"),
        cwd=finished.folder,
        env=finished.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not list(folder.glob("softk_*/checkpoint.pt")):
        assert process.poll() is None, "no checkpoint was ever written"
        time.sleep(0.01)
    children = psutil.Process(process.pid).children(recursive=True)
    for each in (process.pid, *(child.pid for child in children)):
        os.kill(each, signal.SIGKILL)
    process.wait()

    assert finished.snakemake("--unlock").returncode == 0
    again = finished.snakemake("--rerun-incomplete", "all")
    assert again.returncode == 0, again.stdout
    pd.testing.assert_frame_equal(table(finished), undisturbed)
    assert not list(folder.glob("*/checkpoint.pt"))
    assert finished.planned() == set()
