"""What the device says before, inside and after a limit; run with the double on its path."""

import json
import sys

import pynvml

from moebench.energy.limits import limited
from moebench.meters.base import MeterError
from moebench.spec.energy import GpuSpec

UUID = "GPU-d0b1e000-0000-0000-0000-000000000000"


def seen():
    """Limit in milliwatts and clock in megahertz."""
    pynvml.nvmlInit()
    handle = pynvml.nvmlDeviceGetHandleByUUID(UUID)
    return [
        pynvml.nvmlDeviceGetEnforcedPowerLimit(handle),
        pynvml.nvmlDeviceGetClockInfo(handle, pynvml.NVML_CLOCK_SM),
    ]


def refusal(context):
    """The message of a context that cannot be entered."""
    try:
        with context:
            return None
    except MeterError as error:
        return str(error)


def gpu(**changed):
    return GpuSpec(is_owner=True, **changed)


if __name__ == "__main__":
    found = {
        "low": refusal(limited(UUID, gpu(power_limit_w=100))),
        "fast": refusal(limited(UUID, gpu(clock_hz=3e9))),
        "elsewhere": refusal(limited("GPU-1", gpu(power_limit_w=300))),
        "nothing": refusal(limited("GPU-1", GpuSpec())),
        "before": seen(),
    }
    found["allowed"] = refusal(limited(UUID, gpu(power_limit_w=300)))
    if found["allowed"] is None:
        with limited(UUID, gpu(power_limit_w=300, clock_hz=1.2e9)):
            found["inside"] = seen()
        try:
            with limited(UUID, gpu(power_limit_w=400, clock_hz=1e9)):
                raise KeyError
        except KeyError:
            found["after"] = seen()
    json.dump(found, sys.stdout)
