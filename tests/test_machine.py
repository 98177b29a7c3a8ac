"""The machine: who may have it, and how many threads it can measure."""

import os
import subprocess
import sys
import threading
from types import SimpleNamespace

import psutil
import pynvml
import pytest

from moebench import machine

HOLDER = """
import sys
from pathlib import Path
from moebench import machine
machine.LOCK = Path(sys.argv[1])
with machine.exclusive():
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def lock(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "LOCK", tmp_path / "measure.lock")
    return machine.LOCK


@pytest.fixture
def holder(lock):
    """Another process that holds the machine."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(lock)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def measure(entered):
    with machine.exclusive():
        entered.set()


def test_a_second_measurement_waits_for_the_first_and_says_so(holder, capsys):
    entered = threading.Event()
    waiting = threading.Thread(target=measure, args=[entered])
    waiting.start()
    assert not entered.wait(0.3)
    holder.communicate("done\n")
    waiting.join(5)
    assert entered.is_set()
    assert "waiting for another measurement" in capsys.readouterr().out


def test_a_killed_measurement_does_not_block_the_next(holder):
    holder.kill()
    holder.wait()
    entered = threading.Event()
    waiting = threading.Thread(target=measure, args=[entered], daemon=True)
    waiting.start()
    assert entered.wait(5)


def test_a_free_machine_is_had_at_once(lock, capsys):
    with machine.exclusive():
        pass
    with machine.exclusive():
        pass
    assert capsys.readouterr().out == ""


def test_more_threads_than_cores_are_refused_with_the_remedy(monkeypatch):
    monkeypatch.setattr(machine, "num_cores", lambda: 2)
    machine.check_threads(2, "timing.threads")
    with pytest.raises(
        ValueError, match=r"timing\.threads: 3 threads are more than the 2 cores .*; set it to 2"
    ):
        machine.check_threads(3, "timing.threads")


@pytest.mark.slow
def test_peak_memory_grows_with_what_is_held():
    before = machine.peak_resident_bytes()
    block = bytearray(b"\x01") * (2 * before)
    assert machine.peak_resident_bytes() >= len(block)


def test_freed_memory_is_kept_where_there_is_glibc(monkeypatch):
    def no_glibc(name):
        raise OSError(name)

    assert machine.keep_freed_memory() == sys.platform.startswith("linux")
    monkeypatch.setattr(machine.ctypes, "CDLL", no_glibc)
    assert machine.keep_freed_memory() is False


def test_memory_is_that_of_the_machine_or_less():
    assert 0 < machine.memory_bytes() <= psutil.virtual_memory().total


@pytest.fixture
def two_gpus(monkeypatch):
    """A driver with a GPU of 9 bytes and one of 5."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    answers = {
        "nvmlInit": lambda: None,
        "nvmlShutdown": lambda: None,
        "nvmlDeviceGetCount": lambda: 2,
        "nvmlDeviceGetHandleByIndex": lambda index: index,
        "nvmlDeviceGetMemoryInfo": lambda handle: SimpleNamespace(total=(9, 5)[handle]),
    }
    for name, answer in answers.items():
        monkeypatch.setattr(pynvml, name, answer)


def test_memory_of_gpus_is_that_of_the_smallest(two_gpus):
    assert machine.gpu_memory_bytes() == 5


@pytest.mark.parametrize("hidden", ["", "-1"])
def test_hidden_gpus_are_none(two_gpus, monkeypatch, hidden):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    assert machine.gpu_memory_bytes() is None


def test_without_a_driver_there_is_no_gpu(two_gpus, monkeypatch):
    def refuse():
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.setattr(pynvml, "nvmlInit", refuse)
    assert machine.gpu_memory_bytes() is None


@pytest.fixture
def affinity(monkeypatch):
    """Where this thread may run, of four cores."""
    may = {"run on": {0, 1, 2, 3}}
    monkeypatch.setattr(os, "sched_getaffinity", lambda who: may["run on"])
    monkeypatch.setattr(
        os, "sched_setaffinity", lambda who, cores: may.update({"run on": set(cores)})
    )
    return may


@pytest.mark.parametrize(
    ("num_ranks", "threads", "expected"),
    [
        (4, 1, [{0}, {1}, {2}, {3}]),
        (8, 1, [{0}, {1}, {2}, {3}] * 2),
        (2, 2, [{0, 1}, {2, 3}]),
        (4, 2, [{0, 1}, {2, 3}] * 2),
        (3, 1, [{0, 1, 2, 3}] * 3),
    ],
)
def test_ranks_that_take_all_cores_or_share_them_stay_on_their_own(
    affinity, num_ranks, threads, expected
):
    found = []
    for rank in range(num_ranks):
        with machine.pinned(rank, num_ranks, threads):
            found.append(affinity["run on"])
        assert affinity["run on"] == {0, 1, 2, 3}
    assert found == expected
    assert machine.are_pinned(num_ranks, threads) == (expected[0] != {0, 1, 2, 3})


def test_a_rank_that_fails_gives_its_cores_back(affinity):
    with pytest.raises(ValueError, match="fails"), machine.pinned(1, 4, 1):
        raise ValueError("fails")
    assert affinity["run on"] == {0, 1, 2, 3}


def test_a_rank_runs_where_it_is_put():
    before = os.sched_getaffinity(0)
    with machine.pinned(local_rank=1, world_size=len(before), threads=1):
        assert os.sched_getaffinity(0) == {sorted(before)[1 % len(before)]}
    assert os.sched_getaffinity(0) == before
