"""What the device says before, inside and after a limit; run with the double on its path."""

import json
import sys

import pynvml

from moebench.energy.limits import locked_clock, power_limit
from moebench.meters.base import MeterError

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


if __name__ == "__main__":
    found = {
        "not owner": refusal(power_limit(UUID, 300, is_owner=False)),
        "not owner of clock": refusal(locked_clock(UUID, 1e9, is_owner=False)),
        "low": refusal(power_limit(UUID, 100, is_owner=True)),
        "fast": refusal(locked_clock(UUID, 3e9, is_owner=True)),
        "elsewhere": refusal(power_limit("GPU-1", 300, is_owner=True)),
        "before": seen(),
    }
    found["allowed"] = refusal(power_limit(UUID, 300, is_owner=True))
    if found["allowed"] is None:
        with power_limit(UUID, 300, is_owner=True), locked_clock(UUID, 1.2e9, is_owner=True):
            found["inside"] = seen()
        try:
            with power_limit(UUID, 400, is_owner=True), locked_clock(UUID, 1e9, is_owner=True):
                raise KeyError
        except KeyError:
            found["after"] = seen()
    json.dump(found, sys.stdout)
