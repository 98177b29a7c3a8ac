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

# A visit's first calls find in the caches what other arms have left there: the first takes up to
# twice as long, the fourth is like those that follow. Calls that do not count take so long at most.
_REFILL_CALLS = 4
_REFILL_S = 0.05


@dataclass(frozen=True, kw_only=True)
class Visit:
    """One block's calls of one arm."""

    block: int
    arm: int
    warm_up: WarmUp
    durations_s: list[float]  # of each call, on its slowest rank


@contextlib.contextmanager
def alone_on_machine(ranks: Ranks) -> Iterator[None]:
    """Rank 0 waits for the machine and holds it; the others sleep meanwhile.

    What was imported by then is no garbage and is not looked through again.
    """
    with machine.exclusive() if ranks.rank == 0 else contextlib.nullcontext():
        ranks.wait_idle()
        gc.collect()
        gc.freeze()
        yield
        gc.unfreeze()


def timed_blocks(stopwatch: Stopwatch, arms: Sequence[Arm], what: str) -> Iterator[Visit]:
    """Warm up every arm, then visit them in turn, block by block.

    A visit begins with calls that do not count, unless calls are long: they bring back to the
    caches what the arms before it have displaced. No garbage is collected meanwhile.
    """
    protocol = stopwatch.protocol
    bar = tqdm(
        total=(1 + protocol.num_blocks) * len(arms),  # fewer, where calls turn out to be slow
        desc=what,
        unit="visit",
        disable=stopwatch.ranks.rank != 0,
        mininterval=5,
        ascii=True,
        ncols=90,
    )
    with machine.uncollected(), bar:
        warm_ups = []
        for arm in arms:
            warm_ups.append(stopwatch.warm_up(arm))
            bar.update()
        plans = [plan(protocol, warm_up.duration_s) for warm_up in warm_ups]
        order = visits([each.num_blocks for each in plans], protocol.num_blocks)
        bar.reset(total=len(arms) + sum(each.num_blocks for each in plans))
        bar.update(len(arms))
        for block, index in order:
            if refills := num_refills(warm_ups[index].duration_s):
                stopwatch.time(arms[index], refills)
            durations_s = stopwatch.time(arms[index], plans[index].calls_per_block)
            yield Visit(block=block, arm=index, warm_up=warm_ups[index], durations_s=durations_s)
            bar.update()


def num_refills(duration_s: float) -> int:
    """Calls that a visit begins with and that do not count; none where calls are long."""
    return min(_REFILL_CALLS, int(_REFILL_S / duration_s))


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How an arm's calls are spread: over so many blocks, so many in each."""

    num_blocks: int
    calls_per_block: int


def plan(protocol: ProtocolSpec, duration_s: float) -> Plan:
    """Spread ``min_calls`` over all blocks, or as many as take ``min_s`` where these are fewer.

    Where there are fewer calls than blocks, an arm is visited in some of the blocks only.
    """
    enough = max(1, math.ceil(min(protocol.min_calls, protocol.min_s / duration_s)))
    num_blocks = min(protocol.num_blocks, enough)
    return Plan(num_blocks=num_blocks, calls_per_block=math.ceil(enough / num_blocks))


def visits(
    blocks_of_arms: Sequence[int], num_blocks: int, seed: int = 0
) -> Iterator[tuple[int, int]]:
    """Block and arm of every visit, the arms of a block in an order drawn anew.

    An arm that is not visited in every block is visited in blocks that are spread evenly.
    """
    order = random.Random(seed)
    due = [{visit * num_blocks // own for visit in range(own)} for own in blocks_of_arms]
    for block in range(num_blocks):
        here = [arm for arm, blocks in enumerate(due) if block in blocks]
        for arm in order.sample(here, len(here)):
            yield block, arm
