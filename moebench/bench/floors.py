"""The least a layout can take: its routing, its share of the products, its collectives, no more.

Everything else, that is finding out who goes where, gathering, sorting, weighting and summing rows,
is left out; operands lie where they are wanted. Shapes as in ``moebench.parallel.layouts.base``.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from moebench.parallel.experts import ExpertShare, assignments, route
from moebench.parallel.layouts.base import Layout
from moebench.parallel.layouts.expert import ExpertParallel
from moebench.parallel.network import share_sizes
from moebench.parallel.summed import Summed

Call = Callable[[], object]


def summed(layout: Summed, x_BF: Tensor) -> dict[str, Call]:
    """Floors of ``tensor`` and ``expert_replicated``, one for each way to multiply."""
    group = layout.communicator
    y_BO = torch.zeros(len(x_BF), layout.network.output_dim)
    routing = _routing(layout, x_BF)
    expert_BK = route(x_BF, layout.gate_EF, layout.gate_bias_E, layout.network.top_k).expert_BK
    load = assignments(expert_BK, layout.network.num_experts)[1]
    experts = layout.experts.experts
    rows = load[experts.start : experts.stop]
    products = {
        "fused": _fused(layout.experts, x_BF),
        "sorted": _sorted(layout.experts, x_BF, rows),
    }

    def floor(multiply: Call) -> Call:
        def call() -> None:
            routing()
            multiply()
            group.all_reduce(y_BO)

        return call

    return {name: floor(multiply) for name, multiply in products.items()}


def exchanged(layout: ExpertParallel, x_BF: Tensor) -> dict[str, Call]:
    """Floor of ``expert``: counts, rows and answers of this very routing are exchanged."""
    group, network = layout.exchange, layout.network
    W, F, O = group.world_size, network.feature_dim, network.output_dim  # noqa: E741
    assert network.num_experts == W, "one expert a rank"
    num_rows = share_sizes(len(x_BF), W)
    own_RF = x_BF.split_with_sizes(num_rows)[group.rank]
    expert_RK = route(own_RF, layout.gate_EF, layout.gate_bias_E, network.top_k).expert_BK
    send = assignments(expert_RK, W)[1]
    count_WL = torch.tensor(send).view(W, 1)
    receive = group.all_to_all(count_WL).flatten().tolist()
    leave_NF, answer_NO = torch.zeros(sum(send), F), torch.zeros(sum(receive), O)
    own_RO = torch.zeros(len(own_RF), O)
    routing = _routing(layout, own_RF)
    multiply = _sorted(layout.experts, x_BF, [sum(receive)])

    def call() -> None:
        routing()
        group.all_to_all(count_WL)
        group.all_to_all_rows(leave_NF, send, receive)
        multiply()
        group.all_to_all_rows(answer_NO, receive, send)
        group.all_gather(own_RO, num_rows)

    return {"sorted": call}


def _routing(layout: Layout, x_BF: Tensor) -> Call:
    return lambda: route(x_BF, layout.gate_EF, layout.gate_bias_E, layout.network.top_k)


def _fused(own: ExpertShare, x_BF: Tensor) -> Call:
    w_in_FJ, b_in_J, w_out_JO = own.w_in_JF.T, own.b_in_J, own.w_out_JO
    return lambda: torch.addmm(b_in_J, x_BF, w_in_FJ).relu_() @ w_out_JO


def _sorted(own: ExpertShare, x_BF: Tensor, num_rows: list[int]) -> Call:
    """Two products an expert on as many rows as chose it."""
    H = len(own.hidden)
    operands = [
        (own.b_in_J[e * H : (e + 1) * H], x_BF.new_ones(rows, x_BF.shape[1]), e)
        for e, rows in enumerate(num_rows)
    ]
    w_in = [own.w_in_JF[e * H : (e + 1) * H].T for e in range(len(num_rows))]
    w_out = [own.w_out_JO[e * H : (e + 1) * H] for e in range(len(num_rows))]

    def call() -> None:
        for b_in_H, x_NF, e in operands:
            torch.addmm(b_in_H, x_NF, w_in[e]).relu_() @ w_out[e]

    return call
