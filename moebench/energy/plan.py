"""In which order what is measured: processes, blocks, sizes, and cells in an order drawn anew."""

import random
from dataclasses import dataclass, replace

from moebench.energy.protocol import PLANS as METERED_PLANS
from moebench.energy.protocol import Plan
from moebench.spec.energy import EnergySpec, WindowSpec

# Long enough to time and to count, too short for most meters; idling is not measured.
_THROUGHPUT = Plan(
    settle_s=0.02,
    longest_settle_s=0.02,
    window_s=0.1,
    idle_s=0.0,
    gap_s=(0.0, 0.0),
    num_processes=4,
)
PLANS = {"throughput": _THROUGHPUT, **METERED_PLANS}


@dataclass(frozen=True, kw_only=True)
class Group:
    """Cells of one size in one block: measured one after another, in this order."""

    process: int
    block: int
    size: str
    cells: tuple[WindowSpec, ...]


def plan_of(spec: EnergySpec) -> Plan:
    """The plan that the spec names, with the number of processes that it asks for."""
    plan = PLANS[spec.plan]
    if spec.num_processes is None:
        return plan
    return replace(plan, num_processes=spec.num_processes)


def groups(spec: EnergySpec, process: int) -> list[Group]:
    """What one process measures: every block holds each cell once, in an order of its own.

    Sizes take turns as wholes, so that the networks of one size alone are in memory.
    """
    first, found = process * spec.num_blocks, []
    for block in range(first, first + spec.num_blocks):
        order = random.Random(f"{spec.seed}/{block}")
        for size in order.sample(spec.sizes, len(spec.sizes)):
            cells = list(spec.cells(size))
            order.shuffle(cells)
            found.append(Group(process=process, block=block, size=size, cells=tuple(cells)))
    return found


def num_windows(spec: EnergySpec) -> int:
    """Windows of the whole sweep."""
    cells = sum(len(list(spec.cells(size))) for size in spec.sizes)
    return cells * plan_of(spec).num_processes * spec.num_blocks
