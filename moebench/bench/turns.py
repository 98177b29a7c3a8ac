"""Arms that take turns, and the ratios of their times.

Shapes: A arms, R rounds.
"""

import gc
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import psutil

from moebench.analysis.statistics import draws_interval, median_draws
from moebench.machine import MachineError
from moebench.records import Row

# A round counts unless other programs used more than this share of one core while it ran; the
# kernel counts their time in ticks of 10 ms, hence the allowance for short rounds.
_QUIET_SHARE, _QUIET_S = 0.05, 0.02
_ATTEMPTS = 20  # rounds tried for each that must be quiet
_NUM_DRAWS = 2000


@dataclass(frozen=True, kw_only=True)
class Arm:
    """What is clocked, and what tidies up after it off the clock."""

    run: Callable[[], object]
    tidy: Callable[[], object] = lambda: None


@dataclass(frozen=True, kw_only=True)
class Clocks:
    """Seconds that passed, and seconds of processor time that other programs have used."""

    wall_s: Callable[[], float] = time.perf_counter
    others_s: Callable[[], float] = lambda: _others_s()


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """Median of round-by-round ratios with its 95 % interval."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} [{self.low:.2f}, {self.high:.2f}]"


def quiet_rounds(
    arms: Mapping[str, Arm], num_rounds: int, num_warmup: int = 2, clocks: Clocks | None = None
) -> Iterator[dict[str, float]]:
    """Yield the time in seconds of every arm, round by round, each round in an order drawn anew.

    A round in which other programs kept the cores busy is measured again: what they did, not how
    the times came out, decides. Raises MachineError where it never gets quiet.
    """
    clocks = clocks or Clocks()
    order = random.Random(0)
    gc.collect()
    for _ in range(num_warmup):
        _round(arms, order, clocks)
    found = 0
    for _ in range(_ATTEMPTS * num_rounds):
        others_s, wall_s = clocks.others_s(), clocks.wall_s()
        time_s = _round(arms, order, clocks)
        others_s, wall_s = clocks.others_s() - others_s, clocks.wall_s() - wall_s
        if others_s <= _QUIET_S + _QUIET_SHARE * wall_s:
            yield time_s
            found += 1
        if found == num_rounds:
            return
    raise MachineError(
        f"other programs kept the cores busy in {_ATTEMPTS * num_rounds - found} of "
        f"{_ATTEMPTS * num_rounds} rounds; stop them and measure again"
    )


def ratio(other_s_R: list[float], ours_s_R: list[float]) -> Ratio:
    """Our speed over the other's, which is their time over ours, round by round."""
    ratio_AR = np.array([other_s_R]) / np.array([ours_s_R])
    interval = draws_interval(median_draws(ratio_AR, np.random.default_rng(0), _NUM_DRAWS))
    return Ratio(
        median=float(np.median(ratio_AR)), low=float(interval.low[0]), high=float(interval.high[0])
    )


def verdict(found: Ratio, target: float | None) -> str:
    """The ratio beside what was asked of it; the ratio alone where nothing was."""
    if target is None:
        return str(found)
    return f"{found} {'met' if found.median >= target else 'NOT MET'} ({target:.2f})"


def num_met(judged: Iterable[tuple[Ratio, float | None]]) -> tuple[int, int]:
    """How many ratios have a target, and how many of these meet it."""
    met = [found.median >= target for found, target in judged if target is not None]
    return len(met), sum(met)


def times(rows: Sequence[Row], arm: str) -> list[float]:
    """Seconds of an arm, round by round."""
    return [row.values["time_s"] for row in rows if row.values["arm"] == arm]


def _round(arms: Mapping[str, Arm], order: random.Random, clocks: Clocks) -> dict[str, float]:
    time_s = {}
    for name in order.sample(list(arms), len(arms)):
        gc.disable()
        start_s = clocks.wall_s()
        arms[name].run()
        time_s[name] = clocks.wall_s() - start_s
        gc.enable()
        arms[name].tidy()
    return time_s


def _others_s() -> float:
    """Processor time of the whole machine but idling and waiting, without this process."""
    machine, own = psutil.cpu_times(), psutil.Process().cpu_times()
    busy_s = sum(machine) - machine.idle - getattr(machine, "iowait", 0.0)
    return float(busy_s - getattr(machine, "guest", 0.0) - own.user - own.system)
