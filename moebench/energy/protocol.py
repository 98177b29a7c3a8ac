"""The protocol of a measurement: idle, settle, window, gap, and the account within each boundary.

Rules and their sources: cumulative counter first (NVML reference, nvmlDeviceGetTotalEnergy-
Consumption); at least 5 s of window, random gaps and several runs against the sampling of the
sensor (arXiv:2312.02741); idle measured with and without a context (arXiv:2605.23918).
"""

from dataclasses import dataclass
from typing import Literal

from moebench.energy.acceptance import Expected, Limits, accepted
from moebench.energy.boundaries import BOUNDARIES, Boundary, net, summed, total
from moebench.energy.window import Rig, Window, Work, measure, resting
from moebench.meters.base import WITH_VALUE, Energy, MeterError

Baseline = Literal["bare", "context"]  # before there is a context on the device, and with one


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How long everything takes, and how often it is repeated."""

    settle_s: float  # least time of work before a window
    longest_settle_s: float  # most, where the temperature goes on rising
    window_s: float
    idle_s: float
    gap_s: tuple[float, float]  # shortest and longest rest between windows
    num_processes: int  # of each cell: repetitions within a process are no replicates

    def __post_init__(self) -> None:
        assert self.settle_s <= self.longest_settle_s, self
        assert self.gap_s[0] <= self.gap_s[1], self


PLANS = {
    "quick": Plan(
        settle_s=5, longest_settle_s=10, window_s=10, idle_s=10, gap_s=(2, 4), num_processes=5
    ),
    "publication": Plan(
        settle_s=10, longest_settle_s=60, window_s=60, idle_s=60, gap_s=(5, 15), num_processes=10
    ),
}

_SLOPE_C_PER_S = 0.2  # settled, where the temperature changes more slowly over the time to settle


class Protocol:
    """Measures windows of work one after another, and accounts for them.

    Measure "bare" idleness before anything is on the device, "context" idleness with the network
    loaded, before and after a block of windows; then ask for the account of each window.
    """

    def __init__(self, rig: Rig, plan: Plan, limits: Limits | None = None):
        self.rig = rig
        self.plan = plan
        self.limits = limits or Limits()
        self.idles: dict[Baseline, list[Window]] = {"bare": [], "context": []}

    def idle(self, baseline: Baseline) -> Window:
        """A window without work; kept, as a baseline of the windows to come and of those past."""
        self.gap()
        window = measure(resting(self.rig.clock), self.rig, self.plan.idle_s)
        self.idles[baseline].append(window)
        return window

    def window(self, work: Work) -> Window:
        """Settle, then measure; ``work`` makes one step and returns its number of inferences."""
        self.settle(work)
        return measure(work, self.rig, self.plan.window_s)

    def settle(self, work: Work) -> float:
        """Work until the device has stopped warming up, or the plan's time is over; seconds."""
        clock, plan = self.rig.clock, self.plan
        start_s = clock.now_s()
        before_c = self._temperatures_c()
        while True:
            end_s = min(clock.now_s() + plan.settle_s, start_s + plan.longest_settle_s)
            while clock.now_s() < end_s:
                work()
            self.rig.synchronise()
            after_c, spent_s = self._temperatures_c(), clock.now_s() - start_s
            rises_c = [abs(after_c[id] - before_c[id]) for id in after_c if id in before_c]
            is_steady = all(rise_c <= _SLOPE_C_PER_S * plan.settle_s for rise_c in rises_c)
            if is_steady or spent_s >= plan.longest_settle_s:
                return spent_s
            before_c = after_c

    def gap(self) -> None:
        """Rest for a random time, so that no period of the sensor meets all windows alike."""
        self.rig.clock.sleep(self.rig.order.uniform(*self.plan.gap_s))

    def account(self, window: Window) -> dict[str, Energy]:
        """Energy of a window of work within each boundary, net of all context idling so far."""
        domains, missing = self.rig.instruments.domains, self.rig.instruments.missing
        expected = Expected(idle_w=self._least_idle_w(), limits=self.limits)
        energies = {domain.id: accepted(window, domain, expected) for domain in domains}
        found = {}
        for name, boundary in BOUNDARIES.items():
            gross = total(boundary, domains, energies, missing)
            if boundary.is_net:
                idle, idle_s = self.baseline(boundary, "context")
                gross = net(gross, idle, window.duration_s, idle_s)
            found[name] = gross
        return found

    def baseline(self, boundary: Boundary, baseline: Baseline) -> tuple[Energy, float]:
        """Energy of the accepted idle windows together, and their seconds."""
        domains, missing = self.rig.instruments.domains, self.rig.instruments.missing
        accounts = [
            (total(boundary, domains, self._idle_energies(window, baseline), missing), window)
            for window in self.idles[baseline]
        ]
        good = [(energy, window) for energy, window in accounts if energy.status in WITH_VALUE]
        if not good:
            none = Energy(status="unavailable", reason=f"{baseline} idling was not measured")
            return (accounts[-1][0] if accounts else none), 0.0
        return summed([energy for energy, _ in good]), sum(each.duration_s for _, each in good)

    def _idle_energies(self, window: Window, baseline: Baseline) -> dict[str, Energy]:
        num_own = 0 if baseline == "bare" else 1
        expected = Expected(idle_w={}, num_own_processes=num_own, limits=self.limits)
        domains = self.rig.instruments.domains
        return {domain.id: accepted(window, domain, expected) for domain in domains}

    def _least_idle_w(self) -> dict[str, float]:
        """The lowest accepted idle power of each domain, of either baseline."""
        least_w: dict[str, float] = {}
        for baseline, windows in self.idles.items():
            for window in windows:
                for id, energy in self._idle_energies(window, baseline).items():
                    if energy.energy_j is not None:
                        power_w = energy.energy_j / window.duration_s
                        least_w[id] = min(least_w.get(id, power_w), power_w)
        return least_w

    def _temperatures_c(self) -> dict[str, float]:
        """By domain; empty where a meter fails, which the window then reports."""
        try:
            states = self.rig.instruments.telemetry()
        except MeterError:
            return {}
        key = "temperature_c"
        return {id: float(state[key]) for id, state in states.items() if key in state}
