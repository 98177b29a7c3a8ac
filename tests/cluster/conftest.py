"""A private Slurm on this machine, and two workflows that meet with faults on it."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.specs import ROOT
from tests.workflow.conftest import copy_of_repository

STARTER = ROOT.parent / "shared/tools/slurm-single-node"
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch")
PACKAGES = ("slurm-wlm", "munge")
SYSTEM = f"{os.environ['PATH']}:/usr/sbin:/sbin"
LIMIT_S = 600
OVERLAY = ("--configfile", "config/smoke.yaml", "tests/cluster/overlay.yaml")


@dataclass(frozen=True)
class Slurm:
    """A running Slurm: how its programs are reached, and where its daemons lie."""

    folder: Path
    environ: dict[str, str]
    started: list[subprocess.Popen]

    def ask(self, *command):
        """Output of one of its programs."""
        done = subprocess.run(
            command, env=self.environ, capture_output=True, text=True, timeout=LIMIT_S, check=True
        )
        return done.stdout

    def jobs(self, folder):
        """Number and state of the newest job of each comment of a folder; finished ones too."""
        lines = self.ask("squeue", "--noheader", "--states=all", "--format=%A|%T|%Z|%k")
        told = [line.split("|", 3) for line in lines.splitlines()]
        return {
            what: (number, state) for number, state, place, what in told if place == str(folder)
        }

    def has_steps_of_all(self, folder):
        """Whether jobs of a folder run, and each job that runs has started its first step."""
        steps = self.ask("squeue", "--steps", "--noheader", "--format=%i").split()
        running = self.ask("squeue", "--noheader", "--states=RUNNING", "--format=%A").split()
        ours = any(state == "RUNNING" for _, state in self.jobs(folder).values())
        return ours and {f"{number}.0" for number in running} <= set(steps)

    def wait_for(self, is_so, process):
        """Wait until something is so, while a process is running."""
        end = time.monotonic() + LIMIT_S
        while not is_so():
            assert process.poll() is None, "the workflow ended before that was so"
            assert time.monotonic() < end, "that was not so for a long time"
            time.sleep(0.3)

    def restart_controller(self):
        """End the daemon that keeps the queue, and start it again from what it has saved."""
        own = self.folder / "run/slurmctld.pid"
        before = psutil.Process(int(own.read_text()))
        before.terminate()
        while before.is_running() and before.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.1)
        with open(self.folder / "log/slurmctld.again.out", "wb") as log:
            daemon = subprocess.Popen(
                ["slurmctld", "-D"],
                env=self.environ,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        own.write_text(f"{daemon.pid}\n")
        self.started.append(daemon)

    def lose_node(self, name):
        """Let a node be gone, with all that runs on it, and come back."""
        self.ask("scontrol", "update", f"NodeName={name}", "State=DOWN", "Reason=lost")
        end = time.monotonic() + LIMIT_S
        while "down" in self.ask("sinfo", "--noheader", f"--nodes={name}", "--format=%t"):
            assert time.monotonic() < end, f"{name} did not come back"
            # Refused where the node has come back by itself in the meantime.
            resume = ["scontrol", "update", f"NodeName={name}", "State=RESUME"]
            subprocess.run(resume, env=self.environ, capture_output=True)
            time.sleep(0.3)

    def snakemake(self, folder, *arguments):
        """Start Snakemake with the profile in a folder; its output goes to a file there."""
        soon = ("--slurm-init-seconds-before-status-checks", "2")
        with open(folder / "snakemake.log", "ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "snakemake", "--profile", "slurm", *soon, *arguments],
                cwd=folder,
                env={**self.environ, "PYTHONPATH": str(ROOT)},
                stdout=log,
                stderr=log,
            )
        self.started.append(process)
        return process


def finish(process, folder):
    """Wait for a Snakemake; it must have ended well."""
    assert process.wait(LIMIT_S) == 0, (folder / "snakemake.log").read_text()[-5000:]


def missing():
    return [name for name in PROGRAMS if shutil.which(name, path=SYSTEM) is None]


def install():
    """Install Slurm where that can be done without a question; CI must have it."""
    if not missing():
        return
    if os.getuid() != 0 or shutil.which("apt-get") is None:
        pytest.skip(f"no {missing()[0]}; on Debian: apt-get install {' '.join(PACKAGES)}")
    for command in (["update"], ["install", "--yes", "--no-install-recommends", *PACKAGES]):
        done = subprocess.run(
            ["apt-get", "--quiet=2", *command],
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            pytest.skip(f"apt-get {command[0]} failed, so no Slurm: {done.stderr.strip()[-200:]}")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.fixture(scope="session")
def slurm():
    """Two nodes of eight cores and two GPUs, none of which need be real."""
    if not STARTER.is_file():
        pytest.skip("no ../shared/tools/slurm-single-node, which starts a Slurm")
    install()
    # Sockets have short names, so not pytest's folder.
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))
    knobs = {"DIR": folder, "PORT": free_port(), "NODES": 2, "MEM": 64000}
    environ = {**os.environ, "PATH": SYSTEM}
    environ |= {f"SLURM_TEST_{name}": str(value) for name, value in knobs.items()}
    started = subprocess.run([STARTER, "start"], env=environ, capture_output=True, text=True)
    assert started.returncode == 0, started.stderr
    environ |= {"SLURM_CONF": f"{folder}/etc/slurm.conf", "PATH": f"{folder}/bin:{SYSTEM}"}
    here = Slurm(folder, environ, started=[])
    yield here
    subprocess.run([STARTER, "stop"], env=environ, check=True, capture_output=True)
    for process in here.started:
        process.kill()
        process.wait()
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def faults(slurm, tmp_path_factory):
    """Folder of a workflow of jobs that fail at first; it is left to itself meanwhile."""
    folder = tmp_path_factory.mktemp("faults").resolve()
    shutil.copytree(ROOT / "tests/cluster/faults", folder, dirs_exist_ok=True)
    shutil.copytree(ROOT / "slurm", folder / "slurm")
    process = slurm.snakemake(folder)
    slurm.wait_for((folder / "waiting").exists, process)
    slurm.ask("scancel", slurm.jobs(folder)["rule_cancelled"][0])
    slurm.wait_for((folder / "on_a_node").exists, process)
    slurm.lose_node("n2")
    return folder, process


@pytest.fixture(scope="session")
def repository(slurm, faults, tmp_path_factory):
    """A copy of the repository; the workflow of faults runs beside what is done with it."""
    return copy_of_repository(tmp_path_factory.mktemp("cluster").resolve())
