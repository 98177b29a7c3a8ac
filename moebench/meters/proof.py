"""Proof that a meter measures: existence is not function, so every counter is seen to move."""

from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from moebench.meters.base import Domain, Meter, MeterError, Probe, Reading, moved_j

# A counter is watched until it has moved this often; it must mean at least this power.
_NUM_TICKS, _LEAST_W = 5, 0.1


def probe(meter: Meter, devices: Sequence[str] | None = None) -> Probe:
    """Open a meter and see its counters move; never raises. GPUs by UUID, all where None."""
    try:
        domains, facts = meter.open(devices)
        proved, complaints = _proved(meter, domains)
    except MeterError as error:
        meter.close()
        return Probe(meter=meter.name, reason=str(error))
    return Probe(meter=meter.name, domains=proved, reason=complaints, facts=facts)


def _proved(meter: Meter, domains: Sequence[Domain]) -> tuple[tuple[Domain, ...], str]:
    """The domains that work, with their update periods, and why others do not."""
    proved, complaints = [], []
    for domain, seen in zip(domains, _watch(meter, domains), strict=True):
        complaint = _complaint(domain, seen, meter.patience_s)
        if complaint and domain.is_required:
            raise MeterError(complaint)
        if complaint:
            complaints.append(complaint)
        else:
            proved.append(replace(domain, update_s=_update_s(seen)))
    if not proved:
        raise MeterError("; ".join(complaints))
    return tuple(proved), "; ".join(complaints)


def _watch(meter: Meter, domains: Sequence[Domain]) -> list[list[Reading]]:
    """The readings of each domain whose value differs from the one before."""
    seen: list[list[Reading]] = [[] for _ in domains]
    start_s = meter.clock.now_s()
    while True:
        now = meter.read()
        for domain, changes in zip(domains, seen, strict=True):
            if not changes or _value(changes[-1]) != _value(now[domain.id]):
                changes.append(now[domain.id])
        if all(len(changes) > _NUM_TICKS for changes in seen):
            return seen
        if meter.clock.now_s() - start_s > meter.patience_s:
            return seen
        meter.clock.sleep(meter.poll_s)


def _complaint(domain: Domain, seen: Sequence[Reading], patience_s: float) -> str:
    """Why the domain is not to be believed; empty where it is."""
    if domain.source == "power":
        power_w = seen[-1].power_w
        return "" if power_w and power_w > 0 else f"{domain.name}: the power reads {power_w} W"
    if len(seen) < 3:  # one change alone tells nothing of how long the counter took for it
        return f"{domain.name}: the energy counter did not move in {patience_s:g} s"
    first, last = seen[1], seen[-1]
    assert first.energy_j is not None
    assert last.energy_j is not None
    energy_j = moved_j(first.energy_j, last.energy_j, domain.wrap_j)
    power_w = energy_j / (last.time_s - first.time_s)
    if power_w < _LEAST_W:
        return f"{domain.name}: the energy counter moves by {power_w:.3g} W, less than any device"
    return ""


def _update_s(seen: Sequence[Reading]) -> float | None:
    """Median time between changes, without the first, before which nobody looked."""
    times_s = [reading.time_s for reading in seen[1:]]
    gaps_s = [after - before for before, after in zip(times_s, times_s[1:], strict=False)]
    return median(gaps_s) if gaps_s else None


def _value(reading: Reading) -> float | None:
    return reading.power_w if reading.energy_j is None else reading.energy_j
