"""Cells measured by one group of ranks: correct first, then timed in turns, then memory.

All ranks run this together and return the same rows.
"""

import time
from collections.abc import Sequence
from typing import Any

from moebench.machine import are_pinned, pinned
from moebench.parallel import oracle
from moebench.parallel.cells import Bench, network_cell
from moebench.parallel.communicators.base import Communicator
from moebench.parallel.launch import place
from moebench.parallel.memory import peak_memory
from moebench.parallel.network import Cell
from moebench.parallel.protocol import Clock, Stopwatch, Traced
from moebench.parallel.turns import alone_on_machine, timed_blocks
from moebench.records import Row
from moebench.setting import prepare
from moebench.spec import LayoutCellSpec, SweepJob

Values = dict[str, Any]


def measure_sweep(
    job: SweepJob, ranks: Communicator, code: str, clock: Clock = time.perf_counter
) -> list[Row]:
    """Measure every cell of a job; rows of kind ``call`` (one per cell and block) and ``memory``.

    Nothing is timed before every layout gave the values and gradients of ``single``; where one does
    not, LayoutDiffers names it.
    """
    setting = prepare(ranks.device.type, "float32", job.threads)
    is_pinned = are_pinned(ranks.world_size, job.threads)
    facts = setting.facts(code, world_size=ranks.world_size, is_pinned=is_pinned)
    with alone_on_machine(ranks), pinned(place().local_rank, ranks.world_size, job.threads):
        check_layouts(job.cells, ranks)
        benches = [Bench(cell, ranks, setting) for cell in job.cells]
        rows = _calls(job, benches, Stopwatch(ranks, job.protocol, clock), facts)
        for bench in benches:
            bench.clear()
        for cell in job.cells:
            rows.append(_row("memory", cell, ranks, facts, peak_memory(cell, ranks, setting)))
    return rows


def check_layouts(cells: Sequence[LayoutCellSpec], ranks: Communicator) -> None:
    """Compare the layouts of every size with ``single``, in values and gradients."""
    names: dict[Cell, list[str]] = {}
    for cell in cells:
        names.setdefault(network_cell(cell), []).append(cell.layout)
    for size, layouts in names.items():
        oracle.check(list(dict.fromkeys(layouts)), size.network, size.batch_size, ranks)


def _calls(
    job: SweepJob, benches: Sequence[Bench], stopwatch: Stopwatch, facts: Values
) -> list[Row]:
    """Time all cells in turns; after each visit one more call is clocked inside."""
    what = f"layouts at {job.world_size} ranks"
    rows = []
    for visit in timed_blocks(stopwatch, [bench.arm for bench in benches], what):
        bench = benches[visit.arm]
        values = {
            "block": visit.block,
            "durations_s": visit.durations_s,
            "warmup_calls": visit.warm_up.num_calls,
            "is_stable": visit.warm_up.is_stable,
            **_communication(stopwatch.trace(bench.arm)),
        }
        rows.append(_row("call", bench.cell, bench.ranks, facts, values))
    return rows


def _communication(traced: Traced) -> Values:
    return {
        "comm_calls": len(traced.messages),
        "comm_bytes": sum(message.num_bytes for message in traced.messages),
        "comm_s": traced.comm_s,
        "parts": traced.parts,
        "messages": [list(message) for message in traced.messages],
    }


def _row(
    kind: str, cell: LayoutCellSpec, ranks: Communicator, facts: Values, values: Values
) -> Row:
    spec = cell.model_dump() | {"backend": ranks.backend}
    return Row(kind=kind, spec=spec, setting=facts, values=values)
