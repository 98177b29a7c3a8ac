"""The links between ranks: every collective at every message size, without anything around it.

Bytes are counted as in a layout's calls (``trace.Message``): what one rank hands over.
"""

import time
from collections.abc import Callable, Iterator

import torch

from moebench.machine import are_pinned, pinned
from moebench.parallel.communicators.base import Communicator
from moebench.parallel.launch import place
from moebench.parallel.protocol import Arm, Clock, Stopwatch
from moebench.parallel.turns import alone_on_machine, timed_blocks
from moebench.records import Row
from moebench.setting import prepare
from moebench.spec import LinksJob

Call = Callable[[], object]


def measure_links(
    job: LinksJob, ranks: Communicator, code: str, clock: Clock = time.perf_counter
) -> list[Row]:
    """Time every collective at every size; one row of kind ``probe`` for each and each block."""
    setting = prepare(ranks.device.type, "float32", job.threads)
    is_pinned = are_pinned(ranks.world_size, job.threads)
    facts = setting.facts(code, world_size=ranks.world_size, is_pinned=is_pinned)
    spec = {
        "experiment": "parallel",
        "communicator": job.communicator,
        "backend": ranks.backend,
        "world_size": job.world_size,
    }
    probes = [
        (name, num_bytes, call)
        for size in job.message_bytes
        for name, num_bytes, call in collectives(ranks, size)
    ]

    def arm(call: Call) -> Arm:
        def finished() -> None:
            call()
            setting.synchronise()

        return Arm(call=finished, is_alone=False)

    rows = []
    stopwatch = Stopwatch(ranks, job.protocol, clock)
    with alone_on_machine(ranks), pinned(place().local_rank, ranks.world_size, job.threads):
        arms = [arm(call) for _, _, call in probes]
        for visit in timed_blocks(stopwatch, arms, f"links of {ranks.world_size} ranks"):
            name, num_bytes, _ = probes[visit.arm]
            values = {
                "collective": name,
                "world_size": job.world_size,
                "message_bytes": num_bytes,
                "block": visit.block,
                "durations_s": visit.durations_s,
                "is_stable": visit.warm_up.is_stable,
            }
            rows.append(Row(kind="probe", spec=spec, setting=facts, values=values))
    return rows


def collectives(ranks: Communicator, size_bytes: int) -> Iterator[tuple[str, int, Call]]:
    """Name, bytes that a rank hands over, and call of each collective.

    ``size_bytes`` is the largest buffer of a rank, rounded up to a float for every rank: a sum or a
    broadcast is that long; of a gathering, a scattering or an exchange each rank's share is a part.
    """
    W = ranks.world_size
    share = -(-size_bytes // (4 * W))  # floats of one rank's part
    whole, part = (torch.zeros(n, device=ranks.device) for n in (W * share, share))
    rows = torch.zeros(W, share, device=ranks.device)
    even = [1] * W
    yield "all_reduce", whole.nbytes, lambda: ranks.all_reduce(whole)
    yield "all_gather", part.nbytes, lambda: ranks.all_gather(part.unsqueeze(0), even)
    yield "reduce_scatter", rows.nbytes, lambda: ranks.reduce_scatter(rows, even)
    yield "all_to_all", part.nbytes * (W - 1), lambda: ranks.all_to_all(rows)
    yield "broadcast", whole.nbytes, lambda: ranks.broadcast(whole)
