"""The setting of a measurement, chosen, applied and written down: device, number type, threads."""

import contextlib
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from statistics import median
from typing import Any, Protocol

import torch
from torch import Tensor

from moebench import machine, provenance

# bfloat16 must be this much faster in a probe to be chosen on a CPU, where it is often emulated.
_CLEARLY_FASTER = 1.2


class Moment(Protocol):
    """When a device comes to a point of its work."""

    def __sub__(self, earlier: Any, /) -> float:
        """Seconds since an earlier moment."""


class GpuMoment:
    """A mark among the orders of a GPU, which it passes when all before are carried out.

    Setting it does not wait; asking for the seconds between two waits for the later.
    """

    def __init__(self, device: torch.device):
        self._event = torch.cuda.Event(enable_timing=True)
        self._event.record(torch.cuda.current_stream(device))

    def __sub__(self, earlier: "GpuMoment") -> float:
        self._event.synchronize()
        return float(earlier._event.elapsed_time(self._event)) / 1000


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Where and how a job computes."""

    device: torch.device
    dtype: torch.dtype
    threads: int
    keeps_freed_memory: bool

    def autocast(self) -> contextlib.AbstractContextManager[object]:
        """Context in which a forward pass runs: autocast, unless the type is float32."""
        if self.dtype == torch.float32:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=self.dtype)

    def synchronise(self) -> None:
        """Wait for the device; a clock may be read after this."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def moment(self, clock: Callable[[], float] = time.perf_counter) -> Moment:
        """Now, as the device will see it; a CPU reads the ``clock``, in seconds."""
        return GpuMoment(self.device) if self.device.type == "cuda" else clock()

    def to_device(self, x: Tensor) -> Tensor:
        """A tensor of the host, on the device; where that is a GPU, nobody waits for the copy."""
        if self.device.type == "cuda":
            x = x.pin_memory(self.device)
        return x.to(self.device, non_blocking=True)

    def peak_allocated_bytes(self) -> int | None:
        """Largest memory allocated on the GPU so far; None without one."""
        return torch.cuda.max_memory_allocated(self.device) if self.device.type == "cuda" else None

    def facts(self, code: str, world_size: int = 1, **more: Any) -> dict[str, Any]:
        """What every row repeats of its setting; ``more`` is what only some jobs have."""
        return {
            "device": _device_name(self.device),
            "dtype": str(self.dtype).removeprefix("torch."),
            "threads": self.threads,
            "num_cores": machine.num_cores(),
            "world_size": world_size,
            "is_oversubscribed": self.threads * world_size > machine.num_cores(),
            "keeps_freed_memory": self.keeps_freed_memory,
            "processor": provenance.processor(),
            "python": platform.python_version(),
            "torch": version("torch"),
            "moebench": version("moebench"),
            "commit": provenance.commit(),
            "code_digest": code,
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            **more,
        }


def prepare(device: str, dtype: str, threads: int) -> Setting:
    """Choose device and number type, either of which may be ``auto``, and set up this process.

    Raises MachineError where a GPU is asked for and there is none.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise machine.MachineError(
            "device: 'cuda' needs a GPU that torch can use, and there is none; "
            "set it to 'cpu' or 'auto'"
        )
    chosen = torch.device("cuda" if device != "cpu" and torch.cuda.is_available() else "cpu")
    keeps_freed_memory = machine.keep_freed_memory()
    torch.set_num_threads(threads)
    return Setting(
        device=chosen,
        dtype=_DTYPES[dtype] if dtype != "auto" else fastest_dtype(chosen),
        threads=threads,
        keeps_freed_memory=keeps_freed_memory,
    )


_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def fastest_dtype(
    device: torch.device, clock: Callable[[], float] = time.perf_counter
) -> torch.dtype:
    """bfloat16 on a GPU; on a CPU whichever of float32 and bfloat16 multiplies clearly faster."""
    if device.type == "cuda":
        return torch.bfloat16
    times: dict[torch.dtype, list[float]] = {torch.float32: [], torch.bfloat16: []}
    for _ in range(5):
        for dtype, measured in times.items():
            a, b = torch.ones(128, 256, dtype=dtype), torch.ones(256, 256, dtype=dtype)
            start = clock()
            a @ b
            measured.append(clock() - start)
    ratio = median(times[torch.float32]) / median(times[torch.bfloat16])
    return torch.bfloat16 if ratio > _CLEARLY_FASTER else torch.float32


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
