"""What a config costs is added up from what Snakemake would do, measured or declared."""

import subprocess
import sys

import pytest

from moebench import plan

SAID = """\
[Sun Nov 22 14:06:23 2026]
rule train:
    input: tokens.npy
    output: a/rows.jsonl, a/weights.pt
    benchmark: a.tsv
    resources: tmpdir=/tmp, mem=8 GB, disk_mb=250, runtime=30, gpu=1, slurm_extra=--a=B@2
rule train:
    output: b/rows.jsonl
    benchmark: b.tsv
    threads: 4
    resources: disk_mb=250, runtime=30, gpu=1
rule ranks:
    output: c/rows.jsonl
    benchmark: c.tsv
    threads: 8
    resources: disk_mb=10, runtime=60, mpi=srun -n {ranks}, tasks=4, cpus_per_task=2, gpu=0
localrule draw:
    output: d.svg
    resources: disk_mb=1, runtime=60
rule all:
    input: d.svg
    resources: disk_mb=1, runtime=60
Job stats:
train    2
"""


def test_jobs_are_read_as_snakemake_describes_them():
    first, second, ranks, draw = plan.jobs(SAID)
    assert first.outputs == ("a/rows.jsonl", "a/weights.pt")
    assert (first.benchmark, first.num_gpus, first.limit_s) == ("a.tsv", 1, 1800)
    assert [job.num_cores for job in (first, second, ranks)] == [1, 4, 8]
    assert draw.benchmark is None


def test_where_nothing_is_done_hours_are_the_declared_limits(tmp_path):
    planned = plan.jobs(SAID)
    train, ranks, draw = plan.costs(planned, planned, tmp_path)
    assert (train.num_jobs, train.num_to_do, train.job_s, train.gpu_s) == (2, 2, 3600, 3600)
    assert train.core_s == 1800 * (1 + 4)
    assert train.disk_bytes == pytest.approx(500e6)
    assert ranks.core_s == 3600 * 8
    assert draw.job_s == 0
    assert {train.source, ranks.source} == {"declared: at most, by time limit"}


@pytest.fixture
def half_done(tmp_path):
    """A folder in which the first of two trainings is done, after 90 s and 1,500 bytes."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a/rows.jsonl").write_bytes(b"x" * 1000)
    (tmp_path / "a/weights.pt").write_bytes(b"x" * 500)
    (tmp_path / "a.tsv").write_text("s\th:m:s\n90.0\t0:01:30\n")
    (tmp_path / "b.tsv").write_text("s\th:m:s\n1.0\t0:00:01\n")  # of another config: not done
    return tmp_path


def test_what_is_to_do_is_expected_to_take_what_done_jobs_of_the_rule_took(half_done):
    planned = plan.jobs(SAID)
    train, ranks, _ = plan.costs(planned, planned[1:], half_done)
    assert (train.num_to_do, train.job_s, train.gpu_s) == (1, 180, 180)
    assert train.disk_bytes == 3000
    assert train.source == "measured on 1 of 2"
    assert ranks.source.startswith("declared")


def test_the_table_ends_with_the_sum(half_done):
    planned = plan.jobs(SAID)
    *_, total = plan.table(plan.costs(planned, planned[1:], half_done)).splitlines()
    assert total.split() == ["all", "4", "3", "1.05", "8.12", "0.05", "0.01"]


def test_a_config_that_is_not_there_is_named_before_snakemake_is_asked():
    run = subprocess.run(
        [sys.executable, "-m", "moebench.plan", "--configfile", "nowhere.yaml"],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 2
    assert "'nowhere.yaml' does not exist" in run.stderr
    assert "Traceback" not in run.stderr
