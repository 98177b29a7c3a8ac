"""Arms that take turns on a machine of their own: warm-up, then blocks in random order."""

import contextlib
import gc
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tqdm import tqdm

from moebench import machine
from moebench.parallel.protocol import Arm, Ranks, Stopwatch, WarmUp
from moebench.spec import ProtocolSpec


@dataclass(frozen=True, kw_only=True)
class Visit:
    """One block's calls of one arm."""

    block: int
    arm: int
    warm_up: WarmUp
    durations_s: list[float]  # of each call, on its slowest rank


@contextlib.contextmanager
def alone_on_machine(ranks: Ranks) -> Iterator[None]:
    """Rank 0 waits for the machine and holds it; the others sleep meanwhile."""
    with machine.exclusive() if ranks.rank == 0 else contextlib.nullcontext():
        ranks.wait_idle()
        yield


def timed_blocks(stopwatch: Stopwatch, arms: Sequence[Arm], what: str) -> Iterator[Visit]:
    """Warm up every arm, then visit all of them in every block.

    A visit begins with a call that does not count: it brings back to the caches what the arms
    before it have displaced. Nothing is collected meanwhile, only between blocks.
    """
    protocol = stopwatch.protocol
    gc.collect()
    gc.disable()
    with tqdm(
        total=(1 + protocol.num_blocks) * len(arms),
        desc=what,
        unit="visit",
        disable=stopwatch.ranks.rank != 0,
        mininterval=5,
        ascii=True,
        ncols=90,
    ) as bar:
        warm_ups = []
        for arm in arms:
            warm_ups.append(stopwatch.warm_up(arm))
            bar.update()
        for block, index in visits(len(arms), protocol.num_blocks):
            stopwatch.time(arms[index], 1)
            num_calls = calls_per_block(protocol, warm_ups[index].duration_s)
            durations_s = stopwatch.time(arms[index], num_calls)
            yield Visit(block=block, arm=index, warm_up=warm_ups[index], durations_s=durations_s)
            bar.update()
    gc.enable()


def calls_per_block(protocol: ProtocolSpec, duration_s: float) -> int:
    """Calls of an arm in one block, at least one.

    Over all blocks they are ``min_calls``, or as many as take ``min_s`` where these are fewer.
    """
    enough = min(protocol.min_calls, protocol.min_s / duration_s)
    return max(1, math.ceil(enough / protocol.num_blocks))


def visits(num_arms: int, num_blocks: int, seed: int = 0) -> Iterator[tuple[int, int]]:
    """Block and arm of every visit: all arms in every block, in an order drawn anew."""
    order = random.Random(seed)
    for block in range(num_blocks):
        for arm in order.sample(range(num_arms), num_arms):
            yield block, arm
