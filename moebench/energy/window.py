"""A window: work between two looks at the meters, and nothing but work between them.

The edges lie where the slowest counter moves, so that the time which the window is divided by is
the time that the counter covers. Nothing is read in between, unless a domain has no counter: its
power is then sampled between two steps, at irregular moments, some twelve times a second.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from moebench.meters.base import Clock, Domain, MeterError, Reading, Telemetry
from moebench.meters.instruments import Instruments

# A counter that moves less often than this within a window is too coarse for it (half a percent
# of a window is about the error of one edge then).
NUM_UPDATES = 50

_SAMPLE_S = 0.08  # mean time between power samples, each drawn between half and one and a half
_PATIENCE = 10  # update periods, and seconds, after which a counter that stands still has stopped

Work = Callable[[], int]  # one step; returns how many inferences it made


@dataclass(frozen=True, kw_only=True)
class Rig:
    """What a window is measured with."""

    instruments: Instruments
    clock: Clock = field(default_factory=Clock)
    synchronise: Callable[[], None] = lambda: None  # waits for the device
    order: random.Random = field(default_factory=random.Random)


@dataclass(frozen=True, kw_only=True)
class Window:
    """What was done and read; raw, so that a reader can compute every energy anew."""

    num_done: int  # inferences between the edges
    duration_s: float
    edge_s: float  # the longest that an edge may lie behind the movement of the counter
    aligned_to: str | None  # domain whose movements are the edges
    domains: tuple[Domain, ...]
    start: Mapping[str, Reading]
    end: Mapping[str, Reading]
    samples: Mapping[str, tuple[Reading, ...]]  # of domains without a counter, edges included
    telemetry_start: Mapping[str, Telemetry]
    telemetry_end: Mapping[str, Telemetry]
    failure: str = ""  # why a meter stopped; the work was done and timed all the same

    def record(self) -> dict[str, Any]:
        """Everything, as JSON can hold it."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class _Edge:
    time_s: float
    num_done: int
    lag_s: float
    readings: Mapping[str, Reading]


class _Watch:
    """Reads the instruments until one fails, and remembers why."""

    def __init__(self, instruments: Instruments):
        self.instruments = instruments
        self.failure = ""
        self.samples: list[Mapping[str, Reading]] = []

    def read(self, like: Domain | None = None) -> Mapping[str, Reading]:
        return self._try(lambda: self.instruments.read(like))

    def telemetry(self) -> Mapping[str, Telemetry]:
        return self._try(self.instruments.telemetry)

    def _try(self, look: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        if self.failure:
            return {}
        try:
            return look()
        except MeterError as error:
            self.failure = str(error)
            return {}


def measure(work: Work, rig: Rig, window_s: float) -> Window:
    """Repeat ``work`` for ``window_s`` seconds, and on to the next movement of the counter.

    A meter that fails ends the reading, not the work: the window then holds the reason.
    """
    domains = rig.instruments.domains
    watch = _Watch(rig.instruments)
    aligned = _slowest_counter(domains, window_s)
    telemetry_start = watch.telemetry()
    start = _edge(work, rig, watch, aligned)
    num_done = _body(work, rig, watch, start.time_s + window_s)
    end = _edge(work, rig, watch, aligned)
    telemetry_end = watch.telemetry()
    looks = [start.readings, *watch.samples, end.readings]
    powers = [domain.id for domain in domains if domain.source == "power"]
    return Window(
        num_done=num_done + end.num_done,
        duration_s=end.time_s - start.time_s,
        edge_s=max(start.lag_s, end.lag_s),
        aligned_to=aligned.id if aligned else None,
        domains=domains,
        start=start.readings,
        end=end.readings,
        samples={id: tuple(look[id] for look in looks if id in look) for id in powers},
        telemetry_start=telemetry_start,
        telemetry_end=telemetry_end,
        failure=watch.failure,
    )


def resting(clock: Clock) -> Work:
    """Work that does nothing, ten milliseconds a step: for windows of idleness."""

    def rest() -> int:
        clock.sleep(0.01)
        return 0

    return rest


def _slowest_counter(domains: tuple[Domain, ...], window_s: float) -> Domain | None:
    """The counter whose movements are waited for; those too coarse for the window do not count."""
    known = [
        (domain.update_s, domain.id, domain)
        for domain in domains
        if domain.source == "counter" and domain.update_s is not None
    ]
    fine = [each for each in known if each[0] * NUM_UPDATES <= window_s]
    return max(fine)[2] if fine else None


def _edge(work: Work, rig: Rig, watch: _Watch, aligned: Domain | None) -> _Edge:
    """Look at the meters; where a counter is waited for, work on until it moves."""
    rig.synchronise()
    begin_s = before_s = rig.clock.now_s()
    first = watch.read(aligned)
    if aligned is None or watch.failure:
        return _Edge(time_s=begin_s, num_done=0, lag_s=0.0, readings=first)
    assert aligned.update_s is not None
    num_done, patience_s = 0, _PATIENCE * max(1.0, aligned.update_s)
    while True:
        num_done += work()
        rig.synchronise()
        now_s = rig.clock.now_s()
        looked = watch.read(aligned)
        if now_s - begin_s > patience_s and not watch.failure:
            watch.failure = f"{aligned.name}: the energy counter stood still for {patience_s:g} s"
        if watch.failure or looked[aligned.id].energy_j != first[aligned.id].energy_j:
            readings = {**watch.read(), **looked}
            return _Edge(time_s=now_s, num_done=num_done, lag_s=now_s - before_s, readings=readings)
        before_s = now_s


def _body(work: Work, rig: Rig, watch: _Watch, end_s: float) -> int:
    """Work until ``end_s``, one step at least, and sample power where a domain has no counter."""
    has_power = any(domain.source == "power" for domain in rig.instruments.domains)
    now_s = sample_at_s = rig.clock.now_s()
    num_done = 0
    while True:
        if has_power and now_s >= sample_at_s:
            watch.samples.append(watch.read())
            sample_at_s = now_s + _SAMPLE_S * rig.order.uniform(0.5, 1.5)
        num_done += work()
        now_s = rig.clock.now_s()
        if now_s >= end_s:
            return num_done
