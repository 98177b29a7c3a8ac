"""NVIDIA GPUs: the energy counter of the board, by the management library of the driver.

The counter holds millijoules since the driver was loaded (Volta and newer). Power is read beside it
as a cross-check: the average over one second, which boards since Ampere give. Fields and event
reasons are numbered as in NVML's reference.
"""

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pynvml

from moebench.meters.base import Clock, Domain, Meter, MeterError, Reading, Telemetry

_REMEDIES = {
    "NVMLError_LibraryNotFound": "libnvidia-ml.so.1 is not found: no NVIDIA driver here; "
    "install one, or in a container start it with GPUs",
    "NVMLError_DriverNotLoaded": "the NVIDIA driver is not loaded; load it (nvidia-smi must work)",
    "NVMLError_LibRmVersionMismatch": "library and driver of NVIDIA differ in version; "
    "restart the machine after the driver's update",
    "NVMLError_NoPermission": "no permission to ask the NVIDIA driver; "
    "run as a user who may, or ask the administrator",
    "NVMLError_NotSupported": "this GPU does not tell; boards before Volta have no energy counter",
    "NVMLError_FunctionNotFound": "the NVIDIA driver is too old to tell; update it",
    "NVMLError_GpuIsLost": "the GPU fell off the bus; restart the machine",
    "NVMLError_NotFound": "the driver knows no such GPU; nvidia-smi -L lists those there are",
}
_POWER_AVERAGE = 185  # NVML_FI_DEV_POWER_AVERAGE, milliwatts over one second
_GPU_SCOPE = 0  # the board, not the module (1) or the memory (2)
_CAPPED, _TOO_HOT = 0x4, 0x20 | 0x40  # event reasons: power cap; thermal, software and hardware
_THERMAL_NS = (269, 270)  # fields that count nanoseconds of slowness by heat: software, hardware
# Which member of the union holds the value of a field, by its type.
_MEMBERS = ("dVal", "uiVal", "ulVal", "ullVal", "sllVal", "siVal", "usVal")


class Nvml(Meter):
    """One domain for each GPU, bound to its UUID."""

    kinds = ("gpu",)

    def __init__(self, clock: Clock):
        super().__init__(clock)
        self.handles: dict[str, Any] = {}  # by domain
        self.powers: set[str] = set()  # domains that tell their power
        self.is_up = False

    def open(self, devices: Sequence[str] | None) -> tuple[list[Domain], dict[str, str]]:
        """Bind the GPUs of these UUIDs; every GPU where None."""
        with _explained("nvml"):
            pynvml.nvmlInit()
            self.is_up = True
            facts = {"driver": pynvml.nvmlSystemGetDriverVersion()}
            found = _handles(devices)
        if not found:
            raise MeterError("the NVIDIA driver sees no GPU; give this machine or container one")
        domains = []
        for uuid, handle in found.items():
            with _explained(uuid):
                name = str(pynvml.nvmlDeviceGetName(handle))
                domain = _domain(uuid, name, handle)
                pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
            self.handles[domain.id] = handle
            if _power_w(handle) is not None:
                self.powers.add(domain.id)
            facts[uuid] = name
            facts |= {f"{uuid}.{key}": fact for key, fact in _board(handle).items()}
            domains.append(domain)
        return domains, facts

    def read(self) -> dict[str, Reading]:
        """Energy counter and average power of each GPU."""
        found = {}
        for id, handle in self.handles.items():
            with _explained(id):
                energy_mj = pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
            now_s = self.clock.now_s()
            power_w = _power_w(handle) if id in self.powers else None
            found[id] = Reading(time_s=now_s, energy_j=energy_mj / 1000, power_w=power_w)
        return found

    def telemetry(self) -> dict[str, Telemetry]:
        """Temperature, clocks, reasons of slowness, limits, and who else is on the device."""
        found = {}
        for id, handle in self.handles.items():
            with _explained(id):
                uuid = pynvml.nvmlDeviceGetUUID(handle)
            if f"nvml:{uuid}" != id:
                raise MeterError(f"{id}: the device is now {uuid}; measure again")
            found[id] = _state(handle)
        return found

    def close(self) -> None:
        """Let go of the driver."""
        if self.is_up:
            with contextlib.suppress(pynvml.NVMLError):
                pynvml.nvmlShutdown()
        self.is_up, self.handles, self.powers = False, {}, set()


@contextlib.contextmanager
def _explained(what: str) -> Iterator[None]:
    """Turn an error of the driver into one of ours, with the remedy."""
    try:
        yield
    except pynvml.NVMLError as error:
        remedy = _REMEDIES.get(type(error).__name__, f"the NVIDIA driver says: {error}")
        raise MeterError(remedy if what == "nvml" else f"{what}: {remedy}") from None


def _handles(devices: Sequence[str] | None) -> dict[str, Any]:
    """Handles by UUID."""
    if devices is not None:
        return {uuid: pynvml.nvmlDeviceGetHandleByUUID(uuid) for uuid in devices}
    numbers = range(pynvml.nvmlDeviceGetCount())
    handles = [pynvml.nvmlDeviceGetHandleByIndex(number) for number in numbers]
    return {str(pynvml.nvmlDeviceGetUUID(handle)): handle for handle in handles}


def _domain(uuid: str, name: str, handle: Any) -> Domain:
    limit_mw = _if_told(pynvml.nvmlDeviceGetEnforcedPowerLimit, handle)
    return Domain(
        id=f"nvml:{uuid}",
        kind="gpu",
        name=name,
        source="counter",
        limit_w=None if limit_mw is None else limit_mw / 1000,
    )


def _power_w(handle: Any) -> float | None:
    """Mean power over the last second; None where the board does not tell."""
    fields = _if_told(pynvml.nvmlDeviceGetFieldValues, handle, [(_POWER_AVERAGE, _GPU_SCOPE)])
    if fields is None or fields[0].nvmlReturn != pynvml.NVML_SUCCESS:
        return None
    return _number(fields[0]) / 1000


def _board(handle: Any) -> dict[str, str]:
    """What does not change while measuring."""
    asked = {
        "vbios": _if_told(pynvml.nvmlDeviceGetVbiosVersion, handle),
        "persistence": _if_told(pynvml.nvmlDeviceGetPersistenceMode, handle),
        "ecc": _if_told(pynvml.nvmlDeviceGetEccMode, handle),
        "default_limit_mw": _if_told(pynvml.nvmlDeviceGetPowerManagementDefaultLimit, handle),
    }
    return {key: str(fact) for key, fact in asked.items() if fact is not None}


def _state(handle: Any) -> Telemetry:
    """State of one GPU; a key is absent where the board does not tell."""
    reasons = _if_told(pynvml.nvmlDeviceGetCurrentClocksEventReasons, handle)
    limit_mw = _if_told(pynvml.nvmlDeviceGetEnforcedPowerLimit, handle)
    asked = {
        "temperature_c": _if_told(
            pynvml.nvmlDeviceGetTemperatureV, handle, pynvml.NVML_TEMPERATURE_GPU
        ),
        "sm_clock_hz": _hertz(
            _if_told(pynvml.nvmlDeviceGetClockInfo, handle, pynvml.NVML_CLOCK_SM)
        ),
        "memory_clock_hz": _hertz(
            _if_told(pynvml.nvmlDeviceGetClockInfo, handle, pynvml.NVML_CLOCK_MEM)
        ),
        "event_reasons": reasons,
        "is_power_capped": None if reasons is None else bool(reasons & _CAPPED),
        "is_thermally_throttled": None if reasons is None else bool(reasons & _TOO_HOT),
        "thermal_throttle_s": _thermal_s(handle),
        "power_limit_w": None if limit_mw is None else limit_mw / 1000,
        "process_ids": _process_ids(handle),
        "shared": _shared(handle),
    }
    return {key: value for key, value in asked.items() if value is not None}


def _hertz(clock_mhz: int | None) -> float | None:
    return None if clock_mhz is None else clock_mhz * 1e6


def _thermal_s(handle: Any) -> float | None:
    """Seconds of slowness by heat since the driver was loaded."""
    fields = _if_told(pynvml.nvmlDeviceGetFieldValues, handle, list(_THERMAL_NS))
    told = [each for each in fields or () if each.nvmlReturn == pynvml.NVML_SUCCESS]
    return sum(map(_number, told)) / 1e9 if told else None


def _number(field: Any) -> float:
    return float(getattr(field.value, _MEMBERS[field.valueType]))


def _process_ids(handle: Any) -> list[int] | None:
    found = _if_told(pynvml.nvmlDeviceGetComputeRunningProcesses_v3, handle)
    return None if found is None else sorted(process.pid for process in found)


def _shared(handle: Any) -> str:
    """Why the device is not ours alone; the energy is of the whole board, whoever uses it."""
    mode = _if_told(pynvml.nvmlDeviceGetMigMode, handle)
    if mode is not None and mode[0] == pynvml.NVML_DEVICE_MIG_ENABLE:
        return "it is split by MIG"
    if os.environ.get("CUDA_MPS_PIPE_DIRECTORY"):
        return "MPS serves it"
    return ""


def _if_told(ask: Callable[..., Any], *arguments: Any) -> Any | None:
    """The answer of the driver; None where this board or this driver has none.

    Raises MeterError for every other failure, such as a GPU that is lost.
    """
    with _explained("nvml"):
        try:
            return ask(*arguments)
        except (
            pynvml.NVMLError_NotSupported,
            pynvml.NVMLError_FunctionNotFound,
            pynvml.NVMLError_NoPermission,
        ):
            return None
