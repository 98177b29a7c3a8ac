"""The meter interface: what can be measured here, what was read, and what a window came to.

A meter is one file: it opens its domains and reads them. Finding meters, proving that their
counters move, and choosing between them is written once, in ``proof`` and ``instruments``. Base
units everywhere: millijoules, microjoules and ticks become joules before they leave a meter's file.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from moebench.machine import MachineError

Status = Literal["measured", "integrated", "estimated", "unavailable", "invalid"]
Source = Literal["counter", "power"]  # joules that add up, or watts that must be integrated
Kind = Literal["gpu", "cpu", "dram", "module", "node"]
KINDS: tuple[Kind, ...] = ("gpu", "cpu", "dram", "module", "node")
WITH_VALUE: tuple[Status, ...] = ("measured", "integrated", "estimated")

# What the name of every pretended device says; no row that says so is ever analysed.
DOUBLE = "test double"


class MeterError(MachineError):
    """A meter cannot measure; the message says why, and what to do."""


@dataclass(frozen=True, kw_only=True)
class Clock:
    """Time as the meters see it; a test hands in one that takes no time."""

    now_s: Callable[[], float] = time.perf_counter
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True, kw_only=True)
class Domain:
    """A part of the machine whose energy is known by itself."""

    id: str  # meter, colon, name: ``nvml:GPU-...`` or ``rapl:package-0``
    kind: Kind
    name: str  # as the vendor calls it
    source: Source
    contains: tuple[str, ...] = ()  # ids or kinds whose energy is part of this one's
    wrap_j: float | None = None  # the counter begins anew after this; None: it does not
    limit_w: float | None = None  # most that the part may draw; None: not known
    update_s: float | None = None  # how often the value changes, as seen by the probe
    is_required: bool = True  # whether the meter is of no use without this domain


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One look at a domain."""

    time_s: float
    energy_j: float | None = None  # of a counter, since some moment in the past
    power_w: float | None = None


Telemetry = Mapping[str, Any]
"""State of a domain beside its energy. Acceptance looks at these keys, where a meter knows them:

``temperature_c``; ``thermal_throttle_s``, seconds so far; ``is_thermally_throttled``;
``is_power_capped``; ``process_ids`` of all programs on the device; ``shared``, why the device is
not ours alone, or empty. All others are for the record.
"""


@dataclass(frozen=True, kw_only=True)
class Probe:
    """What a meter found on this machine: domains whose counters move, or why there are none."""

    meter: str
    domains: tuple[Domain, ...] = ()
    reason: str = ""  # why there are no domains, or why some are missing
    facts: Mapping[str, str] = field(default_factory=dict)  # driver, firmware, ...

    def __post_init__(self) -> None:
        assert self.domains or self.reason, f"{self.meter}: found nothing and does not say why"


@dataclass(frozen=True, kw_only=True)
class Energy:
    """Energy of one stretch of work within one boundary: a value, or null and the reason."""

    status: Status
    energy_j: float | None = None
    sigma_j: float | None = None  # standard error from where the edges lie, or from sampling
    method: str = ""  # which meter, how, on which devices
    reason: str = ""  # why there is no value

    def __post_init__(self) -> None:
        if self.status in WITH_VALUE:
            assert self.energy_j is not None, self
            assert self.energy_j > 0, self
            assert (bool(self.method), bool(self.reason)) == (True, False), self
        else:
            assert (self.energy_j, self.sigma_j) == (None, None), self
            assert self.reason, self


class Meter(ABC):
    """Reads domains of one vendor. Options that config may set are keyword-only parameters.

    No error of the vendor's library leaves the meter: all become MeterError. A library that we do
    not depend on is imported in ``open``.
    """

    kinds: ClassVar[tuple[Kind, ...]]  # what it may find
    is_automatic: ClassVar[bool] = True  # whether it is tried without being asked for by name
    patience_s: ClassVar[float] = 2.0  # a counter that has not moved for so long is frozen
    poll_s: ClassVar[float] = 0.001  # between two looks while the counter is being proved

    def __init__(self, clock: Clock):
        self.clock = clock

    @property
    def name(self) -> str:
        """Name of the meter's file."""
        return type(self).__module__.rpartition(".")[2]

    @abstractmethod
    def open(self, devices: Sequence[str] | None) -> tuple[list[Domain], dict[str, str]]:
        """Find the domains, and facts for the record; GPUs by UUID, all of them where None.

        Raises MeterError where there is nothing to measure.
        """

    @abstractmethod
    def read(self) -> dict[str, Reading]:
        """Look at every domain; quick, as it is done in the middle of work. Raises MeterError."""

    def telemetry(self) -> dict[str, Telemetry]:
        """State of the domains; slow, so only at the edges of a window. Raises MeterError."""
        return {}

    def close(self) -> None:  # noqa: B027  # most have nothing to let go of
        """Let go of the vendor's library."""


def moved_j(start_j: float, end_j: float, wrap_j: float | None) -> float:
    """Energy between two readings of a counter, which may have begun anew once where it wraps.

    Raises MeterError for a counter that went backwards without a wrap: it was reset.
    """
    if end_j >= start_j:
        return end_j - start_j
    if wrap_j is None:
        raise MeterError(
            f"the counter went backwards, from {start_j:.3f} J to {end_j:.3f} J: it was reset"
        )
    return end_j - start_j + wrap_j


def is_double(names: Iterable[object]) -> bool:
    """Whether one of the names is that of a test double."""
    return any(DOUBLE in str(name).lower() for name in names)


def refuse_doubles(names: Iterable[object], where: str) -> None:
    """Raise ValueError where a name, or a method, of ``where`` is that of a test double."""
    if is_double(names):
        raise ValueError(
            f"{where}: holds readings of a {DOUBLE}, which measures nothing; "
            "remove them and measure on a real device"
        )
