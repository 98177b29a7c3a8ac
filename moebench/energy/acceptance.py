"""Acceptance: which windows are believed. One that fails a check has a reason, and no number."""

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import stdev
from typing import Any

from moebench.energy.window import NUM_UPDATES, Window
from moebench.meters.base import Domain, Energy, MeterError, Telemetry, moved_j


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a believable window keeps to."""

    idle_factor: float = 0.5  # least power, as a multiple of idling
    limit_factor: float = 1.1  # most power, as a multiple of the device's limit
    disagreement: float = 0.15  # between counter and power readings, as a share of the counter
    temperature_drift_c: float = 3.0
    sample_gap_s: float = 1.0  # between two samples of a power that is integrated


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What is known of a window before it is looked at."""

    idle_w: Mapping[str, float]  # lowest idle power seen, by domain; empty while it is measured
    num_own_processes: int = 1  # of ours on each device: none before a context exists
    limits: Limits = Limits()


# More than any such part draws; asked where its counter wraps and the part tells no limit.
_MOST_W = {"gpu": 2000.0, "cpu": 1000.0, "dram": 200.0, "module": 3000.0, "node": 20000.0}


def accepted(window: Window, domain: Domain, expected: Expected) -> Energy:
    """Energy of one domain over a window; ``invalid``, with every reason, where a check fails."""
    if window.failure:
        return Energy(status="invalid", reason=window.failure)
    try:
        energy_j = _energy_j(window, domain)
    except MeterError as error:
        return Energy(status="invalid", reason=f"{domain.name}: {error}")
    reasons = [reason for check in _CHECKS if (reason := check(window, domain, energy_j, expected))]
    if reasons:
        return Energy(status="invalid", reason=f"{domain.name}: {', '.join(reasons)}")
    return Energy(
        status="measured" if domain.source == "counter" else "integrated",
        energy_j=energy_j,
        sigma_j=_sigma_j(window, domain, energy_j),
        method=f"{domain.id} ({domain.name}): {_METHODS[domain.source]}",
    )


_METHODS = {
    "counter": "difference of the energy counter",
    "power": "power readings, integrated by the trapezoidal rule",
}


def _energy_j(window: Window, domain: Domain) -> float:
    if domain.source == "power":
        samples = window.samples[domain.id]
        return sum(
            (_power_w(before) + _power_w(after)) / 2 * (after.time_s - before.time_s)
            for before, after in zip(samples, samples[1:], strict=False)
        )
    start_j, end_j = window.start[domain.id].energy_j, window.end[domain.id].energy_j
    assert start_j is not None
    assert end_j is not None
    return moved_j(start_j, end_j, domain.wrap_j)


def _sigma_j(window: Window, domain: Domain, energy_j: float) -> float:
    """Standard error of a counter from its edges, of sampled power from the samples' spread.

    Each edge lies anywhere within a step, or within an update where it is not waited for.
    """
    if domain.source == "power":
        powers_w = [_power_w(sample) for sample in window.samples[domain.id]]
        return window.duration_s * stdev(powers_w) / math.sqrt(len(powers_w))
    assert domain.update_s is not None
    lag_s = window.edge_s if window.aligned_to == domain.id else domain.update_s
    return energy_j / window.duration_s * lag_s / math.sqrt(6)  # of a difference of two uniforms


def _power_w(reading: Any) -> float:
    if reading.power_w is None:
        raise MeterError("a power reading is missing")
    return float(reading.power_w)


def _moved(window: Window, domain: Domain, energy_j: float, expected: Expected) -> str:
    return "" if energy_j > 0 else "the energy did not move between the edges"


def _in_range(window: Window, domain: Domain, energy_j: float, expected: Expected) -> str:
    power_w, limits = energy_j / window.duration_s, expected.limits
    least_w = limits.idle_factor * expected.idle_w.get(domain.id, 0.0)
    if power_w < least_w:
        return f"{power_w:.4g} W is under {limits.idle_factor:g} times idle power"
    if domain.limit_w is not None and power_w > limits.limit_factor * domain.limit_w:
        return f"{power_w:.4g} W is over {limits.limit_factor:g} times the limit of the device"
    return ""


def _agrees(window: Window, domain: Domain, energy_j: float, expected: Expected) -> str:
    """Counter against the mean of the power readings at the edges, where the device gives any."""
    edges = (window.start[domain.id].power_w, window.end[domain.id].power_w)
    if domain.source == "power" or edges[0] is None or edges[1] is None or energy_j <= 0:
        return ""
    seen_w, power_w = (edges[0] + edges[1]) / 2, energy_j / window.duration_s
    if abs(seen_w - power_w) <= expected.limits.disagreement * power_w:
        return ""
    return f"the counter says {power_w:.4g} W, the power readings {seen_w:.4g} W"


def _fine_enough(window: Window, domain: Domain, energy_j: float, expected: Expected) -> str:
    if domain.source == "power":
        times_s = [sample.time_s for sample in window.samples[domain.id]]
        gap_s = max((b - a for a, b in zip(times_s, times_s[1:], strict=False)), default=math.inf)
        if len(times_s) < NUM_UPDATES or gap_s > expected.limits.sample_gap_s:
            return f"{len(times_s)} power samples, up to {gap_s:.3g} s apart, are too few"
        return ""
    assert domain.update_s is not None
    num_updates = window.duration_s / domain.update_s
    if num_updates < NUM_UPDATES:
        return f"the window holds {num_updates:.1f} updates of the counter, under {NUM_UPDATES}"
    return ""


def _wraps_at_most_once(window: Window, domain: Domain, energy_j: float, expected: Expected) -> str:
    if domain.wrap_j is None:
        return ""
    longest_s = domain.wrap_j / 2 / (domain.limit_w or _MOST_W[domain.kind])
    if window.duration_s <= longest_s:
        return ""
    return f"the counter may have wrapped twice in a window over {longest_s:.3g} s"


def _steady(window: Window, domain: Domain, energy_j: float, expected: Expected) -> str:
    before, after = _states(window, domain)
    if "temperature_c" not in before or "temperature_c" not in after:
        return ""
    drift_c = after["temperature_c"] - before["temperature_c"]
    if abs(drift_c) <= expected.limits.temperature_drift_c:
        return ""
    return f"the temperature drifted by {drift_c:+.1f} degrees"


def _unthrottled(window: Window, domain: Domain, energy_j: float, expected: Expected) -> str:
    states = _states(window, domain)
    is_hot = any(state.get("is_thermally_throttled") for state in states)
    seconds = {state["thermal_throttle_s"] for state in states if "thermal_throttle_s" in state}
    if is_hot or len(seconds) > 1:
        return "the device slowed down because it was too hot"
    return ""


def _alone(window: Window, domain: Domain, energy_j: float, expected: Expected) -> str:
    for state in _states(window, domain):
        if state.get("shared"):
            return f"shared device: {state['shared']}"
        ids = set(state.get("process_ids", ()))
        num_foreign = len(ids - {os.getpid()})
        if os.getpid() not in ids:  # inside a container our number may be another one
            num_foreign -= expected.num_own_processes
        if num_foreign > 0:
            return f"shared device: {num_foreign} other processes on it"
    return ""


def _states(window: Window, domain: Domain) -> tuple[Telemetry, Telemetry]:
    empty: Telemetry = {}
    return (
        window.telemetry_start.get(domain.id, empty),
        window.telemetry_end.get(domain.id, empty),
    )


Check = Callable[[Window, Domain, float, Expected], str]
_CHECKS: tuple[Check, ...] = (
    _moved,
    _in_range,
    _agrees,
    _fine_enough,
    _wraps_at_most_once,
    _steady,
    _unthrottled,
    _alone,
)
