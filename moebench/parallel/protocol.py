"""How calls are timed on all ranks together: warm-up until stable, a barrier before each call.

Every rank runs this with the same arms; what they decide follows from durations that all of them
know, so that they decide alike. Shapes: W ranks, N calls, C values, M messages.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Protocol

import torch
from torch import Tensor

from moebench.analysis.parallel.words import COLLECTIVES, PARTS
from moebench.parallel.trace import Message, Trace
from moebench.spec import ProtocolSpec

Clock = Callable[[], float]

# A group of warm-up calls takes at most this share of their limit, so slow calls make small groups.
_GROUP_SHARE = 0.25


class Ranks(Protocol):
    """What the clock needs of a communicator."""

    rank: int
    world_size: int
    trace: Trace

    @property
    def device(self) -> torch.device:
        """Where tensors to be sent must lie."""

    def barrier(self) -> None:
        """Meet as soon as can be."""

    def wait_idle(self) -> None:
        """Meet, asleep meanwhile."""

    def all_gather(self, x_NC: Tensor, num_rows: Sequence[int]) -> Tensor:
        """Rows of all ranks."""


@dataclass(frozen=True, kw_only=True)
class Arm:
    """What is called; alone: by rank 0, while the other ranks sleep."""

    call: Callable[[], object]
    is_alone: bool


@dataclass(frozen=True, kw_only=True)
class WarmUp:
    """How an arm's warm-up ended: after how many calls, with which duration, stable or not."""

    num_calls: int
    duration_s: float
    is_stable: bool


@dataclass(frozen=True, kw_only=True)
class Traced:
    """Where the time of a call goes, as means over ranks, and what the busiest rank sends."""

    parts: dict[str, float]  # seconds, under the names of the table's columns
    messages: list[Message]

    @property
    def comm_s(self) -> float:
        """Time inside collectives, without waiting for them to begin."""
        return sum(self.parts[f"{collective}_s"] for collective in COLLECTIVES)


class Stopwatch:
    """Times the calls of arms on all ranks together; ``clock`` is in seconds."""

    def __init__(self, ranks: Ranks, protocol: ProtocolSpec, clock: Clock = time.perf_counter):
        self.ranks = ranks
        self.protocol = protocol
        self.clock = clock

    def time(self, arm: Arm, num_calls: int) -> list[float]:
        """Seconds of each call, on its slowest rank."""
        durations_s = [0.0] * num_calls
        if self._takes_part(arm):
            for index in range(num_calls):
                if not arm.is_alone:
                    self.ranks.barrier()
                start_s = self.clock()
                arm.call()
                durations_s[index] = self.clock() - start_s
        if arm.is_alone:
            self.ranks.wait_idle()
        slowest_N = self._gather(durations_s).amax(dim=0)
        return [float(each) for each in slowest_N]

    def warm_up(self, arm: Arm) -> WarmUp:
        """Call until the medians of two groups agree, or for ``warmup_max_s``.

        The first call of all belongs to no group: it pays for what is only made once.
        """
        limit_s = self.protocol.warmup_max_s
        num_calls, spent_s = 1, self.time(arm, 1)[0]
        latest_s, medians_s = spent_s, []
        while True:
            size = int(_GROUP_SHARE * limit_s / latest_s)
            group_s = self.time(arm, max(1, min(size, self.protocol.warmup_calls)))
            num_calls, spent_s = num_calls + len(group_s), spent_s + sum(group_s)
            latest_s = median(group_s)
            medians_s.append(latest_s)
            is_stable = self._agree(medians_s)
            if is_stable or spent_s >= limit_s:
                return WarmUp(num_calls=num_calls, duration_s=latest_s, is_stable=is_stable)

    def trace(self, arm: Arm) -> Traced:
        """Clock one call inside; it takes longer than others and belongs to no median."""
        trace = self.ranks.trace
        trace.reset()
        if self._takes_part(arm):
            if not arm.is_alone:
                self.ranks.barrier()
            trace.start(self.clock)
            arm.call()
            trace.stop("other")
        if arm.is_alone:
            self.ranks.wait_idle()
        parts_s, messages = dict(trace.parts_s), list(trace.clocked)
        unknown = {f"{name}_s" for name in parts_s} - set(PARTS)
        assert not unknown, f"parts without a column: {unknown}"
        found_WC = self._gather([parts_s.get(part.removesuffix("_s"), 0.0) for part in PARTS])
        mean_C = found_WC[0] if arm.is_alone else found_WC.mean(dim=0)
        return Traced(
            parts={part: float(each) for part, each in zip(PARTS, mean_C, strict=True)},
            messages=[] if arm.is_alone else self._busiest(messages),
        )

    def _agree(self, medians_s: Sequence[float]) -> bool:
        """Whether the last two of these differ by no more than is tolerated."""
        if len(medians_s) < 2:
            return False
        earlier_s, later_s = medians_s[-2:]
        return abs(later_s - earlier_s) <= self.protocol.warmup_tolerance * earlier_s

    def _takes_part(self, arm: Arm) -> bool:
        return not arm.is_alone or self.ranks.rank == 0

    def _gather(self, values: Sequence[float]) -> Tensor:
        """What every rank has, a row each, on every rank."""
        own_1C = torch.tensor([values], dtype=torch.float64, device=self.ranks.device)
        return self.ranks.all_gather(own_1C, [1] * self.ranks.world_size)

    def _busiest(self, messages: Sequence[Message]) -> list[Message]:
        """The messages of a call, each with the bytes of the rank that sends most in it."""
        num_W = self._gather([float(len(messages))])
        assert (num_W == num_W[0]).all(), "ranks took part in different numbers of collectives"
        bytes_WM = self._gather([float(message.num_bytes) for message in messages])
        most_M = bytes_WM.amax(dim=0)
        return [
            message._replace(num_bytes=int(most))
            for message, most in zip(messages, most_M, strict=True)
        ]
