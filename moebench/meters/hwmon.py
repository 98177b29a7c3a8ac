"""Power sensors of Linux: whole nodes, NVIDIA Grace and Jetson; power only, hence integrated.

The kernel gives microwatts (Documentation/hwmon/sysfs-interface), for Jetson's sensor millivolts
and milliamperes. Which rail is which follows NVIDIA's tuning guides for Grace and for Jetson.
Tested on made-up trees alone.
"""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from moebench.meters.base import Clock, Domain, Kind, Meter, MeterError, Reading

# How a Grace socket's sensors begin; what a module holds is Hopper, Grace and memory.
_GRACE: dict[str, tuple[Kind, tuple[str, ...]]] = {
    "Module Power Socket": ("module", ("gpu", "cpu", "dram")),
    "Grace Power Socket": ("cpu", ("dram",)),
}
_GRACE_PARTS = ("CPU Power Socket", "SysIO Power Socket")  # inside a Grace socket
_JETSON_INPUT = "VDD_IN"  # the rail that feeds the whole module


class Hwmon(Meter):
    """One domain for each sensor that is known to cover a whole part of the machine."""

    kinds = ("cpu", "module", "node")

    def __init__(self, clock: Clock, *, root: str = "/sys/class/hwmon"):
        super().__init__(clock)
        self.root = Path(root)
        self.files: dict[str, list[Path]] = {}  # whose product is in microwatts, by domain

    def open(self, devices: Sequence[str] | None) -> tuple[list[Domain], dict[str, str]]:
        """Find the sensors; GPUs are none of its business."""
        if not self.root.is_dir():
            raise MeterError(f"{self.root} is absent: this machine shows no sensors")
        domains = []
        for folder in sorted(self.root.glob("hwmon*")):
            for domain, files in _sensors(folder):
                domains.append(domain)
                self.files[domain.id] = files
        if not domains:
            raise MeterError(f"{self.root} holds no power sensor of a node, a Grace or a Jetson")
        return domains, {}

    def read(self) -> dict[str, Reading]:
        """Power of each sensor."""
        found = {}
        for id, files in self.files.items():
            power_uw = math.prod(float(_text(file)) for file in files)
            found[id] = Reading(time_s=self.clock.now_s(), power_w=power_uw / 1e6)
        return found


def _sensors(folder: Path) -> Iterator[tuple[Domain, list[Path]]]:
    """Domains of one chip, with the files whose product is their power."""
    if not (folder / "name").is_file():
        return
    chip = _text(folder / "name")
    if chip == "power_meter" and (folder / "power1_average").is_file():
        label = folder / "device" / "power1_oem_info"
        domain = _socket_or_node(folder.name, _text(label) if label.is_file() else "")
        if domain is not None:
            yield domain, [folder / "power1_average"]
    for label in sorted(folder.glob("in*_label")) if chip == "ina3221" else ():
        if _text(label) == _JETSON_INPUT:
            number = label.name.removeprefix("in").removesuffix("_label")
            domain = _domain(folder.name, _JETSON_INPUT, "module", ("gpu", "cpu", "dram"))
            yield domain, [folder / f"in{number}_input", folder / f"curr{number}_input"]


def _socket_or_node(id: str, label: str) -> Domain | None:
    """A meter without a socket's label measures the whole node; None for a part of a socket."""
    if label.startswith(_GRACE_PARTS):
        return None
    for beginning, (kind, contains) in _GRACE.items():
        if label.startswith(beginning):
            return _domain(id, label, kind, contains)
    return _domain(id, label or "power meter of the node", "node", ())


def _domain(id: str, name: str, kind: Kind, contains: tuple[str, ...]) -> Domain:
    return Domain(id=f"hwmon:{id}", kind=kind, name=name, source="power", contains=contains)


def _text(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError as error:
        raise MeterError(f"{file}: {error.strerror}; measure again, or without hwmon") from None
