"""Power limits and locked clocks of NVIDIA GPUs: for owners of a machine, never by default.

They change the device for everybody on it and need the rights of an administrator, hence a flag
that has to be given each time. What was set before is set again at the end, unless the process is
killed; then ``nvidia-smi --power-limit=WATTS`` and ``nvidia-smi --reset-gpu-clocks`` undo it.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import pynvml

from moebench.meters.base import MeterError


@contextlib.contextmanager
def power_limit(uuid: str, limit_w: float, *, is_owner: bool) -> Iterator[None]:
    """Let a GPU draw ``limit_w`` watts at most, inside the context.

    Raises MeterError without the flag, and where the device or its driver refuses.
    """
    _check_owner(is_owner, "power limit")
    with _device(uuid) as handle:
        least_mw, most_mw = pynvml.nvmlDeviceGetPowerManagementLimitConstraints(handle)
        if not least_mw <= 1000 * limit_w <= most_mw:
            raise MeterError(
                f"a power limit of {limit_w:g} W is not in {least_mw / 1000:g}.."
                f"{most_mw / 1000:g} W, which {uuid} allows"
            )
        before_mw = pynvml.nvmlDeviceGetPowerManagementLimit(handle)
        pynvml.nvmlDeviceSetPowerManagementLimit(handle, round(1000 * limit_w))
        try:
            yield
        finally:
            pynvml.nvmlDeviceSetPowerManagementLimit(handle, before_mw)


@contextlib.contextmanager
def locked_clock(uuid: str, clock_hz: float, *, is_owner: bool) -> Iterator[None]:
    """Hold a GPU's processors at ``clock_hz``, inside the context.

    Raises MeterError without the flag, and where the device or its driver refuses.
    """
    _check_owner(is_owner, "locked clock")
    with _device(uuid) as handle:
        most_mhz = pynvml.nvmlDeviceGetMaxClockInfo(handle, pynvml.NVML_CLOCK_SM)
        clock_mhz = round(clock_hz / 1e6)
        if not 0 < clock_mhz <= most_mhz:
            raise MeterError(
                f"a clock of {clock_hz:g} Hz is not in 0..{most_mhz * 1e6:g} Hz, "
                f"which {uuid} allows"
            )
        pynvml.nvmlDeviceSetGpuLockedClocks(handle, clock_mhz, clock_mhz)
        try:
            yield
        finally:
            pynvml.nvmlDeviceResetGpuLockedClocks(handle)


def _check_owner(is_owner: bool, what: str) -> None:
    if not is_owner:
        raise MeterError(
            f"a {what} changes the GPU for everybody on this machine; "
            "it is set only where its owner says so (is_owner=True)"
        )


@contextlib.contextmanager
def _device(uuid: str) -> Iterator[Any]:
    try:
        pynvml.nvmlInit()
        try:
            yield pynvml.nvmlDeviceGetHandleByUUID(uuid)
        finally:
            pynvml.nvmlShutdown()
    except pynvml.NVMLError_NoPermission:
        raise MeterError(f"{uuid}: only an administrator may change limits and clocks") from None
    except pynvml.NVMLError as error:
        raise MeterError(f"{uuid}: the NVIDIA driver says: {error}") from None
