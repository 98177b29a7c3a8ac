"""The workflow on a Slurm, killed in its midst and left by its queue, and one left in peace."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from moebench import records
from tests.cluster.conftest import OVERLAY, finish
from tests.specs import ROOT
from tests.workflow.conftest import copy_of_repository

pytestmark = pytest.mark.slow

RANKS = [f"results/runs/parallel/layouts/ranks={ranks}/rows.jsonl" for ranks in (2, 4)]
TRAINED = [f"results/runs/pair/{router}_seed=0/rows.jsonl" for router in ("hash", "softk")]
TRAINED.append("results/runs/spread/softk_seed=0/rows.jsonl")  # on two ranks
TARGETS = [*TRAINED, *RANKS]
VOLATILE = {"wall_s", "peak_resident_bytes", "peak_allocated_bytes"}
COMPUTED = ["comm_bytes", "comm_calls", "predicted_weights_bytes", "predicted_activations_bytes"]


def run(program, *arguments, folder, environ):
    return subprocess.run(
        [sys.executable, "-m", program, *arguments],
        cwd=folder,
        env={**environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def readings(path):
    """What a file of rows holds but for clocks and memory."""
    return [
        (row.kind, row.spec, {k: v for k, v in row.values.items() if k not in VOLATILE})
        for row in records.read([path])
    ]


@pytest.fixture(scope="module")
def killed(slurm, repository):
    """A folder whose Snakemake was killed while its jobs were queued and running."""
    folder = repository.folder
    process = slurm.snakemake(folder, *TARGETS, *OVERLAY)
    slurm.wait_for(lambda: any("rule_train_router" in what for what in slurm.jobs(folder)), process)
    process.kill()
    process.wait()
    return folder


@pytest.fixture(scope="module")
def refused(slurm, killed):
    """What a second Snakemake says in the folder that the first has locked."""
    return run("snakemake", "--profile", "slurm", *OVERLAY, folder=killed, environ=slurm.environ)


@pytest.fixture(scope="module")
def recovered(slurm, killed, refused):
    """What the program for killed workflows says there; afterwards the folder is unlocked."""
    said = run("moebench.recover", "--cancel", folder=killed, environ=slurm.environ)
    unlocked = run("snakemake", "--unlock", folder=killed, environ=slurm.environ)
    assert unlocked.returncode == 0, unlocked.stdout
    return said


@pytest.fixture(scope="module")
def finished(slurm, killed, recovered):
    """The folder after a second start, during which the controller of the queue was restarted."""
    process = slurm.snakemake(killed, *TARGETS, *OVERLAY)
    # A job that is about to start its first step would wait for the old controller for ever.
    slurm.wait_for(lambda: slurm.has_steps_of_all(killed), process)
    slurm.restart_controller()
    finish(process, killed)
    return killed


@pytest.fixture(scope="module")
def local(tmp_path_factory, repository):
    """The same, undisturbed on this machine."""
    copy = copy_of_repository(tmp_path_factory.mktemp("local"))
    done = run(
        "snakemake", "--cores", "2", *TARGETS, *OVERLAY, folder=copy.folder, environ=os.environ
    )
    assert done.returncode == 0, done.stdout
    return copy.folder


@pytest.fixture(scope="module")
def grouped(slurm, local, tmp_path_factory):
    """The local folder, whose models of one rank are trained once more, in a group of jobs."""
    folder = tmp_path_factory.mktemp("grouped").resolve()
    shutil.copytree(local, folder, dirs_exist_ok=True, symlinks=True)
    again = (
        "--profile",
        "slurm/grouped.yaml",
        "--forcerun",
        "train_router",
        "--until",
        "train_router",
    )
    finish(slurm.snakemake(folder, *TRAINED[:2], *OVERLAY, *again), folder)
    return folder


def test_a_second_snakemake_is_refused(refused):
    assert refused.returncode != 0
    assert "Directory cannot be locked" in refused.stdout


def test_jobs_that_outlived_a_killed_snakemake_are_named_and_ended(slurm, killed, recovered):
    assert recovered.returncode == 0, recovered.stdout
    assert "train_router_wildcards_pair_softk_seed=0" in recovered.stdout
    assert "; 0 left" in recovered.stdout


@pytest.mark.parametrize("path", TRAINED)
def test_disturbed_training_reads_to_the_last_bit_what_undisturbed_does(path, finished, local):
    assert readings(finished / path)[-1][2]["val_nll_nats"] > 0
    assert readings(finished / path) == readings(local / path)


def test_a_group_of_trainings_is_one_job_and_reads_the_same(slurm, grouped, local):
    (what,) = slurm.jobs(grouped)
    assert what == "rule_training_train_router"  # the group, then the rule
    for path in TRAINED[:2]:
        rows = [(folder / path).stat() for folder in (local, grouped)]
        assert rows[0].st_mtime_ns < rows[1].st_mtime_ns
        assert readings(grouped / path) == readings(local / path)


@pytest.mark.parametrize("path", RANKS)
def test_ranks_started_by_srun_send_what_those_of_mpiexec_do(path, finished, local):
    def facts(folder):
        """What each cell sends and holds; how often it was measured differs."""
        return {
            json.dumps([row.kind, row.spec, *(row.values.get(name) for name in COMPUTED)])
            for row in records.read([folder / path])
        }

    assert len(facts(local)) >= 4
    assert facts(finished) == facts(local)


@pytest.mark.parametrize("ranks", [2, 4])
def test_a_job_of_ranks_is_given_as_many_tasks(ranks, slurm, finished):
    number, _ = slurm.jobs(finished)[f"rule_sweep_layouts_wildcards_{ranks}"]
    assert f"NumTasks={ranks} " in slurm.ask("scontrol", "show", "job", number, "--oneliner")
    rows = records.read([finished / RANKS[ranks // 2 - 1]])
    assert {row.setting["world_size"] for row in rows} == {ranks}


def test_a_training_of_ranks_is_given_as_many_tasks_and_says_so(slurm, finished):
    number, _ = slurm.jobs(finished)["rule_train_router_wildcards_spread_softk_seed=0"]
    assert "NumTasks=2 " in slurm.ask("scontrol", "show", "job", number, "--oneliner")
    rows = records.read([finished / TRAINED[-1]])
    assert {row.setting["world_size"] for row in rows} == {2}
    assert {row.spec["training"]["layout"] for row in rows} == {"expert"}
