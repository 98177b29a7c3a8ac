"""Sweeps by two ranks of MPI, started as a user starts them."""

import json
import subprocess
import sys

import pytest

from moebench.machine import num_cores
from moebench.parallel.start import start
from moebench.spec import LinksJob, ProtocolSpec
from tests.specs import ROOT

pytestmark = pytest.mark.slow

SMALL = """
parallel:
  layouts: [single, single_loop, tensor, tensor_gathered, expert, expert_replicated]
  protocol: {min_calls: 6, min_s: 9.0, num_blocks: 6, warmup_calls: 2, warmup_max_s: 0.02}
  sweeps:
    parallel_batch: {batch_size: [8, 16], directions: [forward, forward_backward]}
"""
PROGRAM = [sys.executable, "-m", "moebench.parallel"]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "small.yaml"
    path.write_text(SMALL)
    return path


def ended(*command):
    return subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def rows_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def sweep(small, tmp_path_factory):
    """What a sweep at two ranks printed and wrote."""
    rows = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    options = ["--sweep", "batch_size", "--configfile", str(small), "--rows", str(rows)]
    run = ended(*PROGRAM, *options, "--ranks", "2")
    assert run.returncode == 0, run.stdout
    return run.stdout, rows


def test_the_published_table_is_printed_and_rows_are_written(sweep):
    printed, rows = sweep
    for kind in ("Simple", "TP", "EP"):
        assert f"| {kind} " in printed
    assert "Min Duration (ms)" in printed
    calls = [row for row in rows_of(rows) if row["kind"] == "call"]
    assert len(calls) == 6 * 2 * 2 * 6
    assert {row["setting"]["world_size"] for row in calls} == {2}
    assert {row["setting"]["is_oversubscribed"] for row in calls} == {num_cores() < 2}


def test_collectives_are_counted_once_for_each_that_a_layout_makes(sweep):
    _, rows = sweep
    made = {}
    for row in rows_of(rows):
        if row["kind"] == "call" and row["spec"]["direction"] == "forward":
            names = tuple(message[0] for message in row["values"]["messages"])
            made.setdefault(row["spec"]["layout"], set()).add(names)
            assert row["values"]["comm_calls"] == len(names)
            assert (row["values"]["comm_s"] > 0) == bool(names)
    assert made["single"] == made["single_loop"] == {()}
    assert made["tensor"] == made["expert_replicated"] == {("all_reduce",)}
    assert made["expert"] == {(*["all_to_all"] * 3, "all_gather")}


def test_a_sum_over_ranks_is_as_many_bytes_as_the_output(sweep):
    _, rows = sweep
    for row in rows_of(rows):
        spec = row["spec"]
        if row["kind"] == "call" and (spec["layout"], spec["direction"]) == ("tensor", "forward"):
            assert row["values"]["comm_bytes"] == 4 * spec["batch_size"] * spec["output_dim"]


def test_two_runs_are_compared_under_mpiexec_as_well(sweep, small):
    _, rows = sweep
    options = ["--sweep", "batch_size", "--configfile", str(small), "--against", str(rows)]
    run = ended("mpiexec", "-n", "2", *PROGRAM, *options)
    assert run.returncode == 0, run.stdout
    assert "of 24 cells have medians within 15%" in run.stdout


def test_links_are_measured_for_every_collective_and_size(tmp_path):
    job = LinksJob(
        communicator="mpi",
        threads=1,
        world_size=2,
        message_bytes=[1024, 65536],
        protocol=ProtocolSpec(min_calls=6, num_blocks=6, warmup_calls=2, warmup_max_s=0.02),
    )
    start(job, "mpiexec -n {ranks}", tmp_path / "rows.jsonl", code="0")
    rows = rows_of(tmp_path / "rows.jsonl")
    found = {(row["values"]["collective"], row["values"]["message_bytes"]) for row in rows}
    assert {name for name, _ in found} == {
        *("all_reduce", "all_gather", "reduce_scatter", "all_to_all", "broadcast")
    }
    assert ("all_reduce", 1024) in found
    assert ("all_gather", 512) in found
    assert len(found) == 10
    assert all(min(row["values"]["durations_s"]) > 0 for row in rows)


def test_a_job_for_another_number_of_ranks_is_refused(small):
    run = ended(*PROGRAM, "--sweep", "nothing", "--configfile", str(small), "--ranks", "2")
    assert run.returncode == 1
    assert "unknown name 'nothing'" in run.stdout
