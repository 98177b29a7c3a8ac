"""Layouts against each other and against their floors, at the published sizes, over MPI."""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from moebench import machine, provenance, registry
from moebench.bench import floors
from moebench.bench.turns import Ratio, ratio
from moebench.parallel.communicators.base import Alone, Communicator
from moebench.parallel.launch import place
from moebench.parallel.layouts.base import Layout
from moebench.parallel.layouts.expert import ExpertParallel
from moebench.parallel.network import Network
from moebench.parallel.summed import Summed
from moebench.parallel.weights import Weights
from moebench.records import Row
from moebench.setting import prepare

EXPLANATION = """\
Forward passes over MPI, one thread a rank, float32; hidden 128, output 64, k 2, as many experts
as ranks, each rank kept on one core. In every round each arm makes {calls} calls, in an order drawn
anew; ranks meet before each call, and a call takes as long as on its slowest rank. single and
single_loop run on rank 0 while the other ranks sleep. A floor is one call of the routing, of the
rank's own products (for tensor and expert_replicated the faster of all experts at once and each on
its rows) and of the same collectives on prepared operands. Median of round-by-round ratios
[95 % bootstrap interval]."""

CALLS = 20
WARMUP_ROUNDS = 3
CELLS = [(batch, feature) for batch in (8, 64) for feature in (32, 256)]
NUM_RANKS = (4, 8)
_GATHERED = {4: 2.5, 8: 4.0}  # how much faster one all-reduce is to be than two gathers an expert


@dataclass(frozen=True, kw_only=True)
class Target:
    """A ratio of the times of two arms, and what it is asked to be."""

    slow: str
    fast: str  # name of an arm, or of the arms that begin with it, of which the fastest counts
    least: float | None = None
    most: float | None = None

    def is_met(self, found: Ratio) -> bool:
        """Whether the median is on the right side."""
        return found.median >= self.least if self.least else found.median <= (self.most or 0)

    def __str__(self) -> str:
        bound = f"at least {self.least}" if self.least else f"at most {self.most}"
        return f"{self.slow} / {self.fast}, {bound}"


def targets(world_size: int, batch_size: int) -> list[Target]:
    """What is asked at a number of ranks and a batch size."""
    asked = [
        Target(slow="tensor", fast="floor of tensor", most=1.4),
        Target(slow="expert_replicated", fast="floor of expert_replicated", most=1.4),
        Target(slow="expert", fast="floor of expert", most=1.6),
    ]
    if world_size in _GATHERED:
        asked.append(Target(slow="tensor_gathered", fast="tensor", least=_GATHERED[world_size]))
    if batch_size == 64:
        asked.append(Target(slow="single_loop", fast="single", least=3.0))
    return asked


def measure(group: Communicator, num_rounds: int) -> list[Row]:
    """Measure every cell with the ranks at hand; one row an arm and round, alike on all ranks."""
    setting = prepare("cpu", "float32", 1)
    code = provenance.code_digest("moebench.bench.parallel")
    is_pinned = machine.are_pinned(group.world_size, setting.threads)
    facts = setting.facts(code, world_size=group.world_size, is_pinned=is_pinned)
    with machine.pinned(place().local_rank, group.world_size, setting.threads):
        return [
            Row(
                kind="layout",
                spec={"batch_size": batch_size, "feature_dim": feature_dim},
                setting=facts,
                values={"round": turn, "arm": arm, "time_s": seconds},
            )
            for batch_size, feature_dim in CELLS
            for turn, time_s in enumerate(_measure_cell(batch_size, feature_dim, group, num_rounds))
            for arm, seconds in time_s.items()
        ]


def _measure_cell(
    batch_size: int, feature_dim: int, group: Communicator, num_rounds: int
) -> Iterator[dict[str, float]]:
    network = Network(num_experts=group.world_size, top_k=2, feature_dim=feature_dim)
    weights = Weights(network=network)
    arms = _arms(weights, weights.inputs(batch_size), group)
    yield from tqdm(
        _rounds(arms, group, num_rounds),
        desc=f"{group.world_size} ranks, batch {batch_size}, feature {feature_dim}",
        total=num_rounds,
        unit="round",
        disable=group.rank > 0,
        mininterval=1,
        ascii=True,
        ncols=90,
    )


@dataclass(frozen=True, kw_only=True)
class _Arm:
    call: Callable[[], object]
    is_distributed: bool = True


def _arms(weights: Weights, x_BF: Tensor, group: Communicator) -> dict[str, _Arm]:
    """Every layout, and the floors of those that have one."""
    arms = {}
    for name in registry.names("parallel.layouts"):
        kind = registry.load(Layout, name)
        layout = kind(weights, group if kind.is_distributed else Alone())
        call = _forward(layout, x_BF)
        arms[name] = _Arm(call=call, is_distributed=kind.is_distributed)
        floor: Mapping[str, floors.Call] = {}
        if isinstance(layout, Summed) and name in ("tensor", "expert_replicated"):
            floor = floors.summed(layout, x_BF)
        elif isinstance(layout, ExpertParallel) and name == "expert":
            floor = floors.exchanged(layout, x_BF)
        for way, each in floor.items():
            arms[f"floor of {name}, {way}"] = _Arm(call=each)
    return arms


def _forward(layout: Layout, x_BF: Tensor) -> Callable[[], object]:
    return lambda: layout.forward(x_BF)


def _rounds(
    arms: Mapping[str, _Arm], group: Communicator, num_rounds: int
) -> Iterator[dict[str, float]]:
    """Median time of each arm's calls, each on its slowest rank, round by round."""
    order = random.Random(0)  # the same on every rank
    for turn in range(WARMUP_ROUNDS + num_rounds):
        own_s_AC = [[0.0] * CALLS for _ in arms]
        with machine.uncollected():
            for index in order.sample(range(len(arms)), len(arms)):
                own_s_AC[index] = _calls(list(arms.values())[index], group)
        all_s_WAC = group.all_gather(
            torch.tensor([own_s_AC], dtype=torch.float64), [1] * group.world_size
        )
        if turn >= WARMUP_ROUNDS:
            median_A = all_s_WAC.amax(dim=0).quantile(0.5, dim=1).tolist()
            yield dict(zip(arms, median_A, strict=True))


@torch.no_grad()
def _calls(arm: _Arm, group: Communicator) -> list[float]:
    """Seconds of each call on this rank; 0 where it slept through another's."""
    if not arm.is_distributed and group.rank > 0:
        group.wait_idle()
        return [0.0] * CALLS
    time_s = []
    for _ in range(CALLS):
        if arm.is_distributed:
            group.barrier()
        start_s = time.perf_counter()
        arm.call()
        time_s.append(time.perf_counter() - start_s)
    if not arm.is_distributed:
        group.wait_idle()
    return time_s


def account(rows: Sequence[Row]) -> str:
    """One table a cell, with what was asked and whether it is met."""
    lines = []
    cells: dict[tuple[int, int, int], list[Row]] = {}
    for row in rows:
        key = (row.setting["world_size"], row.spec["batch_size"], row.spec["feature_dim"])
        cells.setdefault(key, []).append(row)
    num_asked = num_met = 0
    for (world_size, batch_size, feature_dim), found in cells.items():
        time_s = _times(found)
        lines.append(f"{world_size} ranks, batch {batch_size}, feature {feature_dim}")
        for arm, each in sorted(time_s.items()):
            lines.append(f"  {arm:32} {torch.tensor(each).median().item() * 1e3:9.3f} ms")
        for target in targets(world_size, batch_size):
            fast = min(_named(time_s, target.fast), key=lambda arm: sum(time_s[arm]))
            got = ratio(time_s[target.slow], time_s[fast])
            is_met = target.is_met(got)
            num_asked, num_met = num_asked + 1, num_met + is_met
            lines.append(f"  {target!s:60} {got!s:>22} {'met' if is_met else 'NOT met'}")
    return "\n".join([*lines, f"{num_met} of {num_asked} targets met"])


def _named(time_s: Mapping[str, Any], name: str) -> list[str]:
    return [arm for arm in time_s if arm == name or arm.startswith(f"{name}, ")]


def _times(rows: Sequence[Row]) -> dict[str, list[float]]:
    time_s: dict[str, list[float]] = {}
    for row in rows:
        time_s.setdefault(row.values["arm"], []).append(row.values["time_s"])
    return time_s
