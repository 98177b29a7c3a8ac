"""The machine a measurement runs on: its cores, its memory, and the right to have it alone."""

import contextlib
import ctypes
import fcntl
import gc
import os
import re
import resource
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pynvml

LOCK = Path(tempfile.gettempdir()) / f"moebench-{os.getuid()}.lock"

# Values of <malloc.h>; glibc does not export them otherwise.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_MMAP_MAX = -1, -3, -4
_KEPT_BYTES = 1 << 30

# What the kernel tells of this process' memory, and the request to forget its peak (man proc).
_STATUS, _CLEAR_REFS, _RESET_PEAK = Path("/proc/self/status"), Path("/proc/self/clear_refs"), "5"


class MachineError(ValueError):
    """The machine cannot do what was asked of it."""


def num_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def check_threads(threads: int, where: str) -> None:
    """Refuse more measured threads than there are cores: such a time measures the scheduler."""
    if threads > num_cores():
        raise MachineError(
            f"{where}: {threads} threads are more than the {num_cores()} cores at hand; "
            f"set it to {num_cores()} or less"
        )


def check_compiler() -> None:
    """Refuse to compile models where there is no C++ compiler, which torch.compile calls."""
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        raise MachineError(
            f"training.compile: needs the C++ compiler {compiler!r}, and there is none; install "
            "it, name another in the environment variable CXX, or set compile to false"
        )


def keep_freed_memory() -> bool:
    """Let glibc keep freed buffers up to 1 GiB, once, at start-up; False where there is no glibc.

    By default glibc hands every large buffer back to the kernel and faults it in again in the next
    step, which costs 20 to 40 % of a training step on a CPU. Every arm gets the same setting.
    """
    try:
        libc = ctypes.CDLL("libc.so.6")
    except OSError:
        return False
    # Some versions refuse a threshold over 32 MiB; then nothing at all is to be mapped by itself.
    is_kept = libc.mallopt(_M_MMAP_THRESHOLD, _KEPT_BYTES) or libc.mallopt(_M_MMAP_MAX, 0)
    return bool(is_kept and libc.mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES))


def are_pinned(world_size: int, threads: int) -> bool:
    """Whether ``pinned`` keeps ranks to cores of their own: where they leave no core over."""
    return world_size * threads >= num_cores()


@contextlib.contextmanager
def pinned(local_rank: int, world_size: int, threads: int) -> Iterator[None]:
    """Keep the calling thread on cores of its own, where ranks take all cores or share them.

    The kernel puts four ranks on two cores now two and two, now three and one, and stays with it
    for many calls: the same call then takes now one time, now nearly twice as long. Where cores are
    left over it does well by itself, and knows which of them share their units.
    """
    cores = sorted(os.sched_getaffinity(0))
    if not are_pinned(world_size, threads):
        yield
        return
    own = {cores[(local_rank * threads + each) % len(cores)] for each in range(threads)}
    os.sched_setaffinity(0, own)
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Collect no garbage inside, and what there is beforehand: no clocked call pays for others."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextlib.contextmanager
def exclusive() -> Iterator[None]:
    """Wait until no other measurement of this user runs on this machine, then hold it.

    Snakemake keeps its own jobs apart; this lock also holds against a second checkout and against
    jobs that outlived a killed workflow. The kernel frees it when the process ends in any way.
    """
    with open(LOCK, "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"waiting for another measurement to free {LOCK}", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def peak_resident_bytes() -> int:
    """Largest resident memory of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def give_back_freed_memory() -> bool:
    """Hand the buffers that glibc kept back to the kernel; False where there is no glibc."""
    try:
        libc = ctypes.CDLL("libc.so.6")
    except OSError:
        return False
    libc.malloc_trim(0)
    return True


def restart_peak_resident() -> bool:
    """Let the peak of resident memory begin anew; False where the kernel cannot (not Linux)."""
    try:
        _CLEAR_REFS.write_text(_RESET_PEAK)
    except OSError:
        return False
    return True


def resident_bytes() -> tuple[int, int]:
    """Resident memory of this process now, and its peak since it was last restarted. Linux only."""
    found = dict(re.findall(r"^(VmRSS|VmHWM):\s+(\d+) kB", _STATUS.read_text(), re.MULTILINE))
    return int(found["VmRSS"]) * 1024, int(found["VmHWM"]) * 1024


def memory_bytes() -> int:
    """Memory of this machine, or of the container that this process may not leave."""
    limit = Path("/sys/fs/cgroup/memory.max")
    asked = limit.read_text().strip() if limit.is_file() else "max"
    total = psutil.virtual_memory().total
    return total if asked == "max" else min(total, int(asked))


def gpu_memory_bytes() -> int | None:
    """Memory of the smallest NVIDIA GPU, as its driver says; None where there is no GPU to use."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    try:
        handles = map(pynvml.nvmlDeviceGetHandleByIndex, range(pynvml.nvmlDeviceGetCount()))
        return min(
            (int(pynvml.nvmlDeviceGetMemoryInfo(each).total) for each in handles), default=None
        )
    except pynvml.NVMLError:
        return None
    finally:
        pynvml.nvmlShutdown()


def has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 itself; elsewhere it is emulated, and slow."""
    cpuinfo = Path("/proc/cpuinfo")
    flags = set(cpuinfo.read_text().split()) if cpuinfo.is_file() else set()
    return bool(flags & {"avx512_bf16", "amx_bf16", "bf16"})
