"""What a rank of the distributed tests runs: one launch goes through everything, to save starts.

``program.py COMMUNICATOR REPORT``: rank 0 writes what was found to REPORT, as JSON.
"""

import json
import sys
from collections import Counter
from pathlib import Path

import torch

from moebench import registry
from moebench.parallel import experts, oracle
from moebench.parallel.layouts.base import Layout
from moebench.parallel.network import Cell, Network, share_sizes
from moebench.parallel.ranks import Ranks
from moebench.parallel.weights import Weights

CASES = [
    # Experts and rows that do not divide; fewer experts, rows, hidden units and outputs than ranks.
    (Network(num_experts=5, top_k=2, feature_dim=6, hidden_dim=11, output_dim=3), 13),
    (Network(num_experts=3, top_k=1, feature_dim=3, hidden_dim=5, output_dim=2), 3),
]


def check_layouts(group):
    """Every layout against ``single``; LayoutDiffers where one does not agree."""
    names = registry.names("parallel.layouts")
    for network, batch_size in CASES:
        oracle.check(names, network, batch_size, group, list(oracle.ROUTINGS))
    return {"layouts": names, "routings": list(oracle.ROUTINGS)}


def check_traffic(group):
    """Layouts whose messages are not those predicted, with both."""
    network, batch_size = CASES[0]
    cell = Cell(network=network, batch_size=batch_size, world_size=group.world_size, itemsize=8)
    weights = Weights(network=network, dtype=torch.float64, device=group.device)
    x_BF = weights.inputs(batch_size)
    expert_BK = experts.route(x_BF, *weights.gate(), network.top_k).expert_BK.cpu()
    wrong = {}
    for name in registry.names("parallel.layouts"):
        layout = registry.load(Layout, name)(weights, group)
        group.trace.reset()
        layout.forward(x_BF.clone().requires_grad_()).sum().backward()
        predicted = layout.communication(cell, group.rank, expert_BK)
        if group.trace.sent != Counter(predicted.forward + predicted.backward):
            wrong[name] = [str(group.trace.sent), str(predicted)]
    return wrong


def check_collectives(group):
    """Collectives that do not give what was worked out by hand, for uneven and empty rows too."""
    W, rank = group.world_size, group.rank
    new = {"dtype": torch.float64, "device": group.device}
    wrong = []

    def expect(what, got, wanted):
        if not torch.equal(got, torch.tensor(wanted, **new).reshape(got.shape)):
            wrong.append(f"{what}: {got.tolist()} is not {wanted}")

    everyone = list(range(W))
    expect(
        "all_reduce", group.all_reduce(torch.full((3,), rank + 1.0, **new)), [W * (W + 1) / 2] * 3
    )
    for rows in ([2] * W, share_sizes(W - 1, W), [*[0] * (W - 1), 3]):
        flat = [float(r) for r in everyone for _ in range(2 * rows[r])]
        own = torch.full((rows[rank], 2), float(rank), **new)
        expect(f"all_gather {rows}", group.all_gather(own, rows), flat)
        total = torch.arange(2.0 * sum(rows), **new).view(-1, 2)
        start = 2 * sum(rows[:rank])
        mine = [W * float(n) for n in range(start, start + 2 * rows[rank])]
        expect(f"reduce_scatter {rows}", group.reduce_scatter(total, rows), mine)
        empty = group.all_gather(torch.empty(rows[rank], 0, **new), rows)
        expect(f"all_gather of rows without columns {rows}", empty, [])
    # Rank s sends (s + r) % 3 rows, filled with s, to rank r.
    send, receive = ([(rank + other) % 3 for other in everyone] for _ in range(2))
    got = group.all_to_all_rows(torch.full((sum(send), 2), float(rank), **new), send, receive)
    expect("all_to_all_rows", got, [float(s) for s in everyone for _ in range(2 * receive[s])])
    own = torch.tensor([[100.0 * rank + r] for r in everyone], **new)
    expect("all_to_all", group.all_to_all(own), [100.0 * s + rank for s in everyone])
    root = W - 1
    expect("broadcast", group.broadcast(torch.full((2,), float(rank), **new), root), [root] * 2)
    half = group.split(rank % 2)
    expect(
        "split",
        half.all_reduce(torch.full((1,), float(rank), **new)),
        [sum(everyone[rank % 2 :: 2])],
    )
    if (half.rank, half.world_size) != (rank // 2, len(everyone[rank % 2 :: 2])):
        wrong.append(f"split: rank {half.rank} of {half.world_size}")
    group.barrier()
    group.wait_idle()
    return wrong


def main(communicator, report):
    torch.set_num_threads(1)
    with Ranks() as ranks:
        group = ranks.join(communicator)
        found = check_layouts(group)
        found["traffic"] = check_traffic(group)
        found["collectives"] = check_collectives(group)
        every = [found[key] for key in ("traffic", "collectives")]
        bad = group.all_reduce(torch.tensor([float(any(every))], device=group.device))
        if bad.item() and any(every):
            raise RuntimeError(json.dumps(found))
        found["world_size"] = group.world_size
        if group.rank == 0:
            Path(report).write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
