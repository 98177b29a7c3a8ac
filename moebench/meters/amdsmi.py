"""AMD GPUs: the energy accumulator of the board, by the library of ROCm.

The accumulator counts ticks of ``counter_resolution`` microjoules. It is not supported in guests of
virtual machines, and boards are known whose accumulator stands still. Tested on a made-up library
alone.
"""

import importlib
from collections.abc import Sequence
from typing import Any

from moebench.meters.base import Clock, Domain, Meter, MeterError, Reading, Telemetry


class Amdsmi(Meter):
    """One domain for each GPU, bound to its UUID."""

    kinds = ("gpu",)

    def __init__(self, clock: Clock):
        super().__init__(clock)
        self.handles: dict[str, Any] = {}  # by domain
        self.library: Any = None

    def open(self, devices: Sequence[str] | None) -> tuple[list[Domain], dict[str, str]]:
        """Bind the GPUs of these UUIDs; every GPU where None."""
        try:
            library = importlib.import_module("amdsmi")
        except ImportError:
            raise MeterError("amdsmi is not installed; for AMD GPUs install ROCm's") from None
        except (OSError, KeyError) as error:
            raise MeterError(f"amdsmi finds no ROCm library ({error}); install ROCm") from None
        self.library = library
        self._ask(library.amdsmi_init)
        found = {
            str(self._ask(library.amdsmi_get_gpu_device_uuid, handle)): handle
            for handle in self._ask(library.amdsmi_get_processor_handles)
        }
        for uuid in devices or ():
            if uuid not in found:
                raise MeterError(f"no AMD GPU {uuid}; there are: {', '.join(found) or 'none'}")
        if not found:
            raise MeterError("the AMD driver sees no GPU")
        domains = [self._domain(uuid, found[uuid]) for uuid in devices or found]
        self.read()
        return domains, {}

    def read(self) -> dict[str, Reading]:
        """Energy accumulator of each GPU."""
        readings = {}
        for id, handle in self.handles.items():
            count = self._ask(self.library.amdsmi_get_energy_count, handle)
            energy_uj = count["energy_accumulator"] * count["counter_resolution"]
            readings[id] = Reading(time_s=self.clock.now_s(), energy_j=energy_uj / 1e6)
        return readings

    def telemetry(self) -> dict[str, Telemetry]:
        """Temperature, and who else is on the device."""
        kinds, metrics = self.library.AmdSmiTemperatureType, self.library.AmdSmiTemperatureMetric
        return {
            id: {
                "temperature_c": self._ask(
                    self.library.amdsmi_get_temp_metric, handle, kinds.HOTSPOT, metrics.CURRENT
                ),
                "process_ids": sorted(
                    process["pid"]
                    for process in self._ask(self.library.amdsmi_get_gpu_process_list, handle)
                ),
            }
            for id, handle in self.handles.items()
        }

    def close(self) -> None:
        """Let go of the library."""
        if self.handles:
            self._ask(self.library.amdsmi_shut_down)
        self.handles = {}

    def _domain(self, uuid: str, handle: Any) -> Domain:
        name = self._ask(self.library.amdsmi_get_gpu_asic_info, handle)["market_name"]
        cap_uw = self._ask(self.library.amdsmi_get_power_cap_info, handle)["power_cap"]
        id = f"amdsmi:{uuid}"
        self.handles[id] = handle
        return Domain(id=id, kind="gpu", name=name, source="counter", limit_w=cap_uw / 1e6)

    def _ask(self, function: Any, *arguments: Any) -> Any:
        try:
            return function(*arguments)
        except self.library.AmdSmiException as error:
            raise MeterError(f"the AMD driver says: {error}") from None
