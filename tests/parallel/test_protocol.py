"""How calls are timed, with a clock and with ranks that a test makes up."""

from collections import Counter

import pytest
import torch

from moebench.parallel.protocol import Arm, Stopwatch
from moebench.parallel.trace import Message, Trace
from moebench.parallel.turns import Plan, plan, timed_blocks, visits
from moebench.spec import ProtocolSpec


class Clock:
    """Stands still unless a call moves it."""

    def __init__(self):
        self.now_s = 0.0

    def __call__(self):
        return self.now_s


class FakeRanks:
    """One of several ranks; what the others gather is made from what this one gives."""

    device = torch.device("cpu")

    def __init__(self, rank=0, world_size=2, other=lambda own: torch.zeros_like(own)):
        self.rank, self.world_size, self.other = rank, world_size, other
        self.trace = Trace()
        self.met = []

    def barrier(self):
        self.met.append("barrier")

    def wait_idle(self):
        self.met.append("asleep")

    def all_gather(self, own_1C, num_rows):
        others = [self.other(own_1C) for _ in range(self.world_size - 1)]
        return torch.cat([own_1C, *others])


def takes(clock, *durations_s):
    """A call that takes these times in turn, and then the last one for ever."""
    waiting = list(durations_s)

    def call():
        clock.now_s += waiting.pop(0) if len(waiting) > 1 else waiting[0]

    return call


def stopwatch(ranks=None, **protocol):
    clock = Clock()
    return clock, Stopwatch(ranks or FakeRanks(), ProtocolSpec(**protocol), clock)


def test_a_call_takes_as_long_as_on_its_slowest_rank():
    ranks = FakeRanks(other=lambda own: torch.tensor([[5.0, 0.5]], dtype=torch.float64))
    clock, watch = stopwatch(ranks)
    assert watch.time(Arm(call=takes(clock, 1.0, 2.0), is_alone=False), 2) == [5.0, 2.0]


def test_ranks_meet_before_every_call_that_counts():
    clock, watch = stopwatch()
    watch.time(Arm(call=takes(clock, 1.0), is_alone=False), 3)
    assert watch.ranks.met == ["barrier"] * 3


def test_the_time_spent_in_the_barrier_does_not_count():
    clock, watch = stopwatch()
    watch.ranks.barrier = lambda: takes(clock, 100.0)()
    assert watch.time(Arm(call=takes(clock, 1.0), is_alone=False), 2) == [1.0, 1.0]


@pytest.mark.parametrize(("rank", "calls"), [(0, 3), (1, 0)])
def test_alone_only_rank_0_calls_and_the_others_sleep(rank, calls):
    clock, watch = stopwatch(FakeRanks(rank))
    seen = Counter()
    watch.time(Arm(call=lambda: seen.update(["call"]), is_alone=True), 3)
    assert seen["call"] == calls
    assert watch.ranks.met == ["asleep"]


def test_warm_up_ends_when_two_groups_agree():
    clock, watch = stopwatch(warmup_calls=2, warmup_max_s=1000.0)
    falling = takes(clock, 50.0, 9.0, 9.0, 4.0, 4.0, 2.0, 2.0, 2.1, 2.1)
    done = watch.warm_up(Arm(call=falling, is_alone=False))
    assert done.is_stable
    assert done.num_calls == 9
    assert done.duration_s == pytest.approx(2.1)


def test_a_cold_first_call_is_in_no_group():
    clock, watch = stopwatch(warmup_calls=2, warmup_max_s=1000.0)
    done = watch.warm_up(Arm(call=takes(clock, 1.0, 5.0, 5.0, 1.0), is_alone=False))
    assert done.num_calls > 3
    assert done.duration_s == 1.0


def test_warm_up_that_never_settles_ends_at_its_limit_and_says_so():
    clock, watch = stopwatch(warmup_calls=2, warmup_max_s=10.0)
    restless = takes(clock, *[1.0, 1.0, 2.0, 2.0] * 100)
    done = watch.warm_up(Arm(call=restless, is_alone=False))
    assert not done.is_stable
    assert 10 <= clock.now_s < 15


def test_slow_calls_are_not_warmed_up_for_long():
    clock, watch = stopwatch(warmup_calls=5, warmup_max_s=0.5)
    assert watch.warm_up(Arm(call=takes(clock, 1.0), is_alone=False)).num_calls == 2


def test_a_calls_parts_add_up_to_its_time():
    clock, watch = stopwatch(FakeRanks(world_size=1))
    trace = watch.ranks.trace

    def call():
        clock.now_s += 1
        trace.mark("routing")
        clock.now_s += 2
        trace.carry_out(Message("all_reduce", 40, 2), takes(clock, 4.0), takes(clock, 8.0))
        trace.mark("experts")
        clock.now_s += 16

    found = watch.trace(Arm(call=call, is_alone=False))
    nonzero = {part: each for part, each in found.parts.items() if each}
    assert nonzero == {
        "routing_s": 1,
        "experts_s": 2,
        "waiting_s": 4,
        "all_reduce_s": 8,
        "other_s": 16,
    }
    assert found.comm_s == 8
    assert found.messages == [("all_reduce", 40, 2)]


def test_parts_are_means_over_ranks_and_messages_those_of_the_busiest():
    def other(own):
        if own.shape == (1, 2):
            return torch.tensor([[10, 60]], dtype=torch.float64)
        return own if own.shape == (1, 1) else own * 3

    ranks = FakeRanks(other=other)
    clock, watch = stopwatch(ranks)

    def call():
        clock.now_s += 1
        ranks.trace.mark("experts")
        for num_bytes in (100, 50):
            message = Message("all_to_all", num_bytes, 2)
            ranks.trace.carry_out(message, lambda: None, lambda: None)

    found = watch.trace(Arm(call=call, is_alone=False))
    assert found.parts["experts_s"] == 2
    assert found.messages == [("all_to_all", 100, 2), ("all_to_all", 60, 2)]


def test_alone_the_parts_are_those_of_rank_0():
    clock, watch = stopwatch()

    def call():
        clock.now_s += 1
        watch.ranks.trace.mark("experts")

    assert watch.trace(Arm(call=call, is_alone=True)).parts["experts_s"] == 1


@pytest.mark.parametrize(
    ("duration_s", "num_blocks", "calls"),
    [(1e-3, 10, 3), (0.05, 10, 3), (0.1, 10, 2), (0.3, 7, 1), (0.5, 4, 1), (100.0, 1, 1)],
)
def test_calls_end_at_their_number_or_at_their_time(duration_s, num_blocks, calls):
    protocol = ProtocolSpec(min_calls=30, min_s=2.0, num_blocks=10)
    expected = Plan(num_blocks=num_blocks, calls_per_block=calls)
    assert plan(protocol, duration_s) == expected


def test_every_block_visits_every_arm_once_in_an_order_of_its_own():
    found = list(visits([20] * 6, 20))
    by_block = [tuple(arm for block, arm in found if block == b) for b in range(20)]
    assert [block for block, _ in found] == sorted(block for block, _ in found)
    assert all(sorted(order) == list(range(6)) for order in by_block)
    assert len(set(by_block)) > 15
    assert found == list(visits([20] * 6, 20)), "ranks must agree on the order"


def test_slow_arms_are_visited_in_blocks_spread_evenly():
    found = list(visits([10, 4, 1], 10))
    assert [block for block, arm in found if arm == 0] == list(range(10))
    assert [block for block, arm in found if arm == 1] == [0, 2, 5, 7]
    assert [block for block, arm in found if arm == 2] == [0]


def test_blocks_time_every_arm_equally_often_and_refill_the_caches_before():
    clock, watch = stopwatch(num_blocks=4, min_calls=8, warmup_calls=2)
    seen = Counter()

    def counting(name, duration_s):
        def call():
            seen[name] += 1
            clock.now_s += duration_s

        return Arm(call=call, is_alone=False)

    arms = [counting("a", 1e-3), counting("b", 2e-3)]
    found = list(timed_blocks(watch, arms, "test"))
    assert len(found) == 8
    for index, duration_s in enumerate((1e-3, 2e-3)):
        own = [visit for visit in found if visit.arm == index]
        assert [visit.block for visit in own] == [0, 1, 2, 3]
        assert [each for visit in own for each in visit.durations_s] == pytest.approx(
            [duration_s] * 8
        )
    warm_up = found[0].warm_up.num_calls
    assert seen["a"] == warm_up + 4 * (4 + 2)


def test_long_calls_refill_the_caches_themselves():
    clock, watch = stopwatch(num_blocks=4, min_calls=8, min_s=0.5, warmup_max_s=0.1)
    seen = Counter()

    def call():
        seen["call"] += 1
        clock.now_s += 0.2

    [*found] = timed_blocks(watch, [Arm(call=call, is_alone=False)], "test")
    assert [visit.block for visit in found] == [0, 1, 2]
    assert seen["call"] == found[0].warm_up.num_calls + 3
