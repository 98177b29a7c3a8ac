"""Ranks that die, libraries and devices that are not there: one line, soon, and nobody left."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from moebench.parallel import watch
from tests.distributed.test_communicators import run

PROGRAM = Path(__file__).with_name("mishaps.py")
pytestmark = pytest.mark.slow


def ranks_left():
    return [
        each
        for each in psutil.process_iter(["cmdline"])
        if str(PROGRAM) in (each.info["cmdline"] or [])[1:2]  # launchers have it further on
    ]


def message_of(name, what, num_ranks=3, **environ):
    start_s = time.monotonic()
    with pytest.raises(watch.RanksError) as caught:
        run(name, num_ranks, str(PROGRAM), name.partition(" ")[0], what, **environ)
    assert time.monotonic() - start_s < 30
    _wait_until(lambda: not ranks_left(), limit_s=5)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("name", ["mpi", "gloo"])
def test_a_killed_rank_is_named_and_the_others_end(name):
    message = message_of(name, "killed")
    assert message.startswith("rank 1 of 3 died without a word")


def test_a_rank_that_leaves_early_is_named():
    assert message_of("mpi", "left").startswith("rank 1 of 3 died without a word")


@pytest.mark.parametrize("name", ["mpi", "gloo by torchrun"])
def test_the_error_of_a_rank_is_passed_on_in_one_line(name):
    message = message_of(name, "refused")
    assert message.startswith("rank 1 of 3 failed: ValueError: invalid literal for int()")


def test_a_fault_of_ours_shows_its_traceback(capfd):
    message = message_of("mpi", "wrong", num_ranks=2)
    assert message.startswith("rank 1 of 2 failed: ZeroDivisionError")
    assert "Traceback" in capfd.readouterr().err


def test_a_port_in_use_is_said():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        message = message_of("gloo", "none", num_ranks=2, MASTER_ADDR="127.0.0.1", MASTER_PORT=port)
    assert f"MASTER_PORT={port} on 127.0.0.1 is in use" in message


def test_a_machine_without_gpus_is_said():
    message = message_of("nccl", "none", num_ranks=2, CUDA_VISIBLE_DEVICES="")
    assert "communicator 'nccl' needs a GPU for every rank" in message
    assert "finds 0" in message


def test_missing_mpi4py_is_said(tmp_path):
    (tmp_path / "mpi4py.py").write_text("raise ImportError('No module named mpi4py')\n")
    path = os.pathsep.join([str(tmp_path), *sys.path])
    message = message_of("mpi", "none", num_ranks=2, PYTHONPATH=path)
    assert "communicator 'mpi' needs mpi4py" in message
    assert "pip install mpi4py mpich" in message


def test_ranks_end_when_their_parent_is_killed():
    words = ["-m", "tests.distributed.test_mishaps"]
    with subprocess.Popen([sys.executable, *words], cwd=PROGRAM.parents[2]) as parent:
        try:
            _wait_until(lambda: len(ranks_left()) == 2)
        finally:
            parent.kill()
    _wait_until(lambda: not ranks_left())


def _wait_until(holds, limit_s=30.0):
    start_s = time.monotonic()
    while not holds():
        assert time.monotonic() - start_s < limit_s, "waited in vain"
        time.sleep(0.1)


if __name__ == "__main__":
    run("mpi", 2, str(PROGRAM), "mpi", "asleep")
