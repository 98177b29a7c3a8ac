import itertools

import pytest

from moebench.bench.turns import Arm, Clocks, Ratio, quiet_rounds, ratio, verdict
from moebench.machine import MachineError


def fake_clocks(others_step_s):
    """A wall clock that moves one second at each look, and the given use by others."""
    return Clocks(
        wall_s=itertools.count(0.0, 1.0).__next__,
        others_s=itertools.accumulate(others_step_s).__next__,
    )


def test_our_speed_over_the_others_is_their_time_over_ours():
    assert ratio([2.0] * 6, [1.0] * 6) == Ratio(median=2.0, low=2.0, high=2.0)


def test_ratios_are_taken_round_by_round_so_a_slow_moment_cancels():
    ours_s = [1.0, 5.0, 1.0, 2.0, 9.0, 1.0]
    assert ratio([1.5 * each for each in ours_s], ours_s).low == pytest.approx(1.5)


def test_the_interval_holds_the_median_and_widens_with_the_scatter():
    ours_s = [1.0] * 9
    narrow = ratio([1.1, 1.11, 1.12, 1.13, 1.14, 1.15, 1.16, 1.17, 1.18], ours_s)
    wide = ratio([0.6, 0.7, 0.8, 0.9, 1.14, 1.4, 1.5, 1.6, 1.7], ours_s)
    assert narrow.low <= narrow.median == wide.median <= narrow.high
    assert wide.high - wide.low > 3 * (narrow.high - narrow.low)


def test_a_verdict_says_what_was_asked():
    found = Ratio(median=0.79, low=0.7, high=0.9)
    assert verdict(found, 0.8) == "0.79 [0.70, 0.90] NOT MET (0.80)"
    assert verdict(found, 0.79) == "0.79 [0.70, 0.90] met (0.79)"
    assert verdict(found, None) == "0.79 [0.70, 0.90]"


def test_every_arm_runs_once_a_round_and_tidies_off_the_clock():
    done = []
    arms = {
        name: Arm(
            run=lambda name=name: done.append(name), tidy=lambda name=name: done.append(f"~{name}")
        )
        for name in "ab"
    }
    rounds = list(quiet_rounds(arms, 6, num_warmup=2, clocks=fake_clocks(itertools.repeat(0.0))))
    assert rounds == [{"a": 1.0, "b": 1.0}] * 6
    assert sorted(done[:4]) == ["a", "b", "~a", "~b"]
    assert done.count("a") == done.count("~b") == 8


def test_the_clock_stops_before_tidying():
    clock = iter([0.0, 10.0, 13.0, 20.0])
    now = {"s": 0.0}

    def wall_s():
        now["s"] = next(clock)
        return now["s"]

    def tidy():
        assert now["s"] == 13.0

    clocks = Clocks(wall_s=wall_s, others_s=lambda: 0.0)
    arm = {"a": Arm(run=lambda: None, tidy=tidy)}
    assert list(quiet_rounds(arm, 1, num_warmup=0, clocks=clocks)) == [{"a": 3.0}]


def test_a_disturbed_round_is_measured_again():
    # Uses by others between two looks: 0 before the first, then 3 s in the first round.
    uses_s = itertools.chain([0.0, 3.0], itertools.repeat(0.0))
    count = []
    arms = {"a": Arm(run=lambda: count.append(1))}
    assert len(list(quiet_rounds(arms, 6, num_warmup=0, clocks=fake_clocks(uses_s)))) == 6
    assert len(count) == 7


def test_a_machine_that_never_gets_quiet_is_refused_in_one_line():
    arms = {"a": Arm(run=lambda: None)}
    with pytest.raises(MachineError, match="other programs kept the cores busy in 20 of 20") as e:
        list(quiet_rounds(arms, 1, clocks=fake_clocks(itertools.repeat(3.0))))
    assert "\n" not in str(e.value)
