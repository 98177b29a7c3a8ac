"""Processors and their memory: the running average power limit counters that Linux exposes.

A zone's file holds microjoules and begins anew at ``max_energy_range_uj``, after some fifteen
minutes of full load. Only packages and their DRAM are read: ``core`` and ``uncore`` are parts of a
package, ``psys`` holds packages, and ``intel-rapl-mmio`` shows the same packages again.
"""

from collections.abc import Sequence
from pathlib import Path

from moebench.meters.base import Clock, Domain, Meter, MeterError, Reading


class Rapl(Meter):
    """One domain for each package, and one for the DRAM beside it where there is one."""

    kinds = ("cpu", "dram")

    def __init__(self, clock: Clock, *, root: str = "/sys/class/powercap"):
        super().__init__(clock)
        self.root = Path(root)
        self.files: dict[str, Path] = {}  # by domain

    def open(self, devices: Sequence[str] | None) -> tuple[list[Domain], dict[str, str]]:
        """Find the zones; GPUs are none of its business."""
        if not self.root.is_dir():
            raise MeterError(
                f"{self.root} is absent: this kernel shows no RAPL counters, as in most virtual "
                "machines; measure on the bare machine"
            )
        domains = []
        for zone in sorted(self.root.glob("intel-rapl:*")):
            name = _text(zone / "name")
            if name.startswith("package") or name == "dram":
                domains.append(_domain(zone, name))
                self.files[domains[-1].id] = zone / "energy_uj"
        if not domains:
            raise MeterError(
                f"{self.root} holds no package; load the kernel's module intel_rapl_msr"
            )
        self.read()
        return domains, {}

    def read(self) -> dict[str, Reading]:
        """Energy counter of each zone."""
        found = {}
        for id, file in self.files.items():
            energy_uj = int(_text(file))
            found[id] = Reading(time_s=self.clock.now_s(), energy_j=energy_uj / 1e6)
        return found


def _domain(zone: Path, name: str) -> Domain:
    is_dram = name == "dram"
    package = _text(zone.parent / zone.name.rpartition(":")[0] / "name") if is_dram else name
    return Domain(
        id=f"rapl:{package}-dram" if is_dram else f"rapl:{package}",
        kind="dram" if is_dram else "cpu",
        name=f"DRAM of {package}" if is_dram else f"processor {package}",
        source="counter",
        wrap_j=int(_text(zone / "max_energy_range_uj")) / 1e6,
        limit_w=_limit_w(zone),
        is_required=not is_dram,  # some machines show a DRAM zone that never moves
    )


def _limit_w(zone: Path) -> float | None:
    """The larger of the limits for long and short loads; None where there is none."""
    limits = [zone / f"constraint_{number}_power_limit_uw" for number in (0, 1)]
    limits_w = [int(_text(file)) / 1e6 for file in limits if file.is_file()]
    return max(limits_w, default=0.0) or None


def _text(file: Path) -> str:
    try:
        return file.read_text().strip()
    except PermissionError:
        raise MeterError(
            f"{file} may be read by root alone, as is usual since 2020 (CVE-2020-8694); "
            "ask for: chmod a+r /sys/class/powercap/*/energy_uj"
        ) from None
    except OSError as error:
        raise MeterError(f"{file}: {error.strerror}; measure again, or without rapl") from None
