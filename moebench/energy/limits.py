"""Power limits and held clocks of NVIDIA GPUs: for owners of a machine, never by default.

They change the device for everybody on it and need the rights of an administrator. What was set
before is set again at the end, unless the process is killed; then
``nvidia-smi --power-limit=WATTS`` and ``nvidia-smi --reset-gpu-clocks`` undo it.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import pynvml

from moebench.meters.base import MeterError
from moebench.spec.energy import GpuSpec


@contextlib.contextmanager
def limited(uuid: str, gpu: GpuSpec) -> Iterator[None]:
    """Set what the owner of a GPU asks for, inside the context; often nothing.

    Raises MeterError where the device or its driver refuses.
    """
    with contextlib.ExitStack() as held:
        if gpu.power_limit_w is not None:
            held.enter_context(_power_limit(uuid, gpu.power_limit_w))
        if gpu.clock_hz is not None:
            held.enter_context(_held_clock(uuid, gpu.clock_hz))
        yield


@contextlib.contextmanager
def _power_limit(uuid: str, limit_w: float) -> Iterator[None]:
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
def _held_clock(uuid: str, clock_hz: float) -> Iterator[None]:
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
