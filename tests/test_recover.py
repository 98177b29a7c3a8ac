"""What outlived a killed Snakemake is found, told apart from others, and waited for."""

import subprocess
import sys

import pytest

from moebench import recover


def lines(*jobs):
    return "".join(f"{number}|{state}|{place}|{what}\n" for number, state, place, what in jobs)


def test_only_jobs_that_snakemake_sent_from_this_folder_are_orphans(tmp_path):
    (tmp_path / "here").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "here")
    told = lines(
        ("1", "RUNNING", tmp_path / "here", "rule_train_router_wildcards_pair_hash_seed=0"),
        ("2", "PENDING", tmp_path / "here", "(null)"),
        ("3", "PENDING", tmp_path / "elsewhere", "rule_train_router"),
        ("4", "PENDING", tmp_path / "link", "rule_a|b"),
    )
    found = recover.orphans(tmp_path / "here", lambda: told)
    assert [(job.number, job.what) for job in found] == [
        ("1", "train_router_wildcards_pair_hash_seed=0"),
        ("4", "a|b"),
    ]


def test_waiting_ends_with_the_last_job_and_names_each_that_ended(tmp_path):
    both = [("1", "RUNNING", tmp_path, "rule_a"), ("2", "RUNNING", tmp_path, "rule_b")]
    told = iter([lines(*both), lines(*both), lines(both[1]), ""])
    said = []
    recover.wait(tmp_path, lambda: next(told), said.append, look_s=0)
    assert said == ["job 1 has ended; 1 left", "job 2 has ended; 0 left"]
    assert next(told, None) is None


@pytest.fixture
def snakemake_elsewhere(tmp_path):
    """A process that looks like a Snakemake in a folder, of Slurm job 7."""
    process = subprocess.Popen(
        [sys.executable, "-c", "input()", "snakemake"],
        cwd=tmp_path,
        env={"SLURM_JOB_ID": "7"},
        stdin=subprocess.PIPE,
    )
    yield process
    process.communicate(b"\n")


def test_a_snakemake_that_still_runs_is_found_unless_it_is_of_an_orphan(
    snakemake_elsewhere, tmp_path
):
    assert [each.pid for each in recover.alive(tmp_path, [])] == [snakemake_elsewhere.pid]
    assert not recover.alive(tmp_path, ["7"])
    assert not recover.alive(tmp_path.parent, [])


def test_nothing_is_waited_for_beside_a_living_snakemake(
    snakemake_elsewhere, tmp_path, monkeypatch
):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SystemExit, match=f"process {snakemake_elsewhere.pid}.*end it with kill"):
        recover.main(tmp_path)
