"""What would fail after minutes, refused in seconds: memory, number types, meters.

Without torch, so that the workflow can ask before any job runs.
"""

from typing import Any

from moebench import machine
from moebench.energy.sizes import check_memory
from moebench.meters.base import Clock, Kind
from moebench.meters.instruments import Instruments, choose, discover
from moebench.meters.proof import probe
from moebench.spec.energy import EnergySpec


def check(spec: EnergySpec) -> None:
    """Raise ValueError for what this machine cannot do of what the spec asks for."""
    machine.check_threads(spec.threads, "energy.threads")
    gpu_bytes = None if spec.device == "cpu" else machine.gpu_memory_bytes()
    if gpu_bytes is None:
        check_memory(spec, machine.memory_bytes(), "this machine")
        if "tf32" in spec.dtypes:
            raise machine.MachineError(
                "energy.dtypes: 'tf32' needs a GPU, and there is none; leave it out"
            )
        if spec.gpu.is_set:
            raise machine.MachineError("energy.gpu: there is none to be set; leave it out")
    else:
        check_memory(spec, gpu_bytes, "the GPU")
    if spec.require == "measured":
        found = open_instruments(spec, None)
        found.close()
        require_meter(found, "cpu" if gpu_bytes is None else "gpu")


def open_instruments(spec: EnergySpec, gpus: list[str] | None) -> Instruments:
    """The meters that the spec asks for, as far as they work here; GPUs by UUID, all where None."""
    options: dict[str, Any] = {name: given or {} for name, given in (spec.meters or {}).items()}
    names = None if spec.meters is None else list(spec.meters)
    meters = discover(names, Clock(), options)
    return choose(meters, [probe(meter, gpus) for meter in meters])


def require_meter(found: Instruments, kind: Kind) -> None:
    """Raise ValueError, with every meter's reason, where nothing measures the device's energy."""
    if kind in found.missing:
        raise machine.MachineError(
            f"energy.require: 'measured' needs an energy meter for the {kind}, and there is none: "
            f"{found.missing[kind]}; free a meter, or set it to 'any'"
        )
