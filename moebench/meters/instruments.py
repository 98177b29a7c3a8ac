"""Which meters a measurement uses: found by their files, proved, the best taken of each kind."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from moebench import registry
from moebench.meters.base import (
    KINDS,
    Clock,
    Domain,
    Kind,
    Meter,
    Probe,
    Reading,
    Telemetry,
)

# A counter misses nothing between two readings.
_RANKS = {"counter": 0, "power": 1}


@dataclass(frozen=True, kw_only=True)
class Instruments:
    """The meters that a measurement uses, and why nothing measures the rest of the machine."""

    meters: tuple[Meter, ...] = ()
    domains: tuple[Domain, ...] = ()
    missing: Mapping[Kind, str] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)

    def read(self, like: Domain | None = None) -> dict[str, Reading]:
        """Look at every chosen domain, or at those of one domain's meter. Raises MeterError."""
        ids = {domain.id for domain in self.domains}
        found: dict[str, Reading] = {}
        for meter in self.meters:
            if like is None or like.id.startswith(f"{meter.name}:"):
                found |= meter.read()
        return {id: value for id, value in found.items() if id in ids}

    def telemetry(self) -> dict[str, Telemetry]:
        """State of every chosen domain. Raises MeterError."""
        ids = {domain.id for domain in self.domains}
        found = {id: value for meter in self.meters for id, value in meter.telemetry().items()}
        return {id: value for id, value in found.items() if id in ids}

    def close(self) -> None:
        """Let go of all meters."""
        for meter in self.meters:
            meter.close()


def discover(
    names: Sequence[str] | None = None,
    clock: Clock | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[Meter]:
    """Every meter there is a file for, or the named ones; ``options`` by name of the meter.

    Raises ValueError for a meter that does not exist.
    """
    clock, options = clock or Clock(), options or {}
    if names is None:
        every = registry.names("meters")
        names = [name for name in every if registry.load(Meter, name).is_automatic]
    return [registry.load(Meter, name)(clock, **options.get(name, {})) for name in names]


def choose(meters: Sequence[Meter], probes: Sequence[Probe]) -> Instruments:
    """For each kind of domain the meter that measures it best, counters before power readings.

    Meters that are not used are closed. Of equals the first is taken.
    """
    domains: list[Domain] = []
    missing: dict[Kind, str] = {}
    for kind in KINDS:
        offers = [[each for each in found.domains if each.kind == kind] for found in probes]
        best = min(filter(None, offers), key=lambda offer: _RANKS[offer[0].source], default=[])
        domains += best
        if not best:
            missing[kind] = _why_not(kind, meters, probes)
    used = []
    for meter, found in zip(meters, probes, strict=True):
        if set(found.domains) & set(domains):
            used.append((meter, found))
        else:
            meter.close()
    return Instruments(
        meters=tuple(meter for meter, _ in used),
        domains=tuple(domains),
        missing=missing,
        facts={f"{found.meter}.{key}": it for _, found in used for key, it in found.facts.items()},
    )


def _why_not(kind: Kind, meters: Sequence[Meter], probes: Sequence[Probe]) -> str:
    """One line that names every meter that might have measured this kind, and its reason."""
    reasons = [
        f"{found.meter}: {found.reason or f'found no {kind}'}"
        for meter, found in zip(meters, probes, strict=True)
        if kind in meter.kinds
    ]
    return "; ".join(reasons) or f"none of the meters asked for measures a {kind}"
