"""The published code's way through a mixture layer, kept to measure what it costs.

In our words, from its description: fill an E x C x D buffer with one row for each kept assignment,
run the experts in a Python loop over the filled rows, and ask the host for counts on the way.

Shapes: T tokens, D width, F hidden width, E experts, K choices, C slots, M assignments, N kept.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from moebench.moe import LayerOutput, MoELayer
from moebench.routers.base import expert_capacity

_BALANCE_COEF = 0.01


class LegacyLayer(nn.Module):
    """Soft top-k with capacity as published, on the weights of one of our layers.

    All experts share one stacked parameter for each matrix, as there; biases and the division of
    the surviving weights by their sum are left out, so that it computes what our layer computes.
    """

    def __init__(self, layer: MoELayer):
        super().__init__()
        self.gate = layer.gate
        self.top_k = layer.router.top_k
        self.capacity_factor = layer.slots.capacity_factor
        self.w_in_EDF = nn.Parameter(torch.stack([w.T for w in layer.experts.w_in]).detach())
        self.w_out_EFD = nn.Parameter(torch.stack(list(layer.experts.w_out)).detach())
        self.statistics: dict[str, float] = {}

    def forward(self, x_BSD: Tensor, token_id_BS: Tensor) -> LayerOutput:
        """Mix the experts of each token that found a slot; batch order decides who does."""
        x_TD = x_BSD.flatten(0, 1)
        T, E = len(x_TD), len(self.w_in_EDF)
        logit_TK, expert_TK = self.gate(x_TD).topk(self.top_k, dim=-1)
        weight_TK = logit_TK.softmax(dim=-1)
        capacity = expert_capacity(T, E, self.top_k, self.capacity_factor)
        slot_TK, load_E = _slots(expert_TK, E, capacity)
        is_kept_TK = slot_TK < capacity
        token_N = is_kept_TK.nonzero()[:, 0]
        place_N = (expert_TK * capacity + slot_TK)[is_kept_TK]
        packed = x_TD.new_zeros(E * capacity, x_TD.shape[1])
        packed.index_copy_(0, place_N, x_TD[token_N])
        answer_ECD = self._run_experts(packed.view(E, capacity, -1), load_E)
        answer_ND = answer_ECD.flatten(0, 1)[place_N] * weight_TK[is_kept_TK].unsqueeze(1)
        y_TD = torch.zeros_like(x_TD).index_add_(0, token_N, answer_ND)
        self._take_statistics(is_kept_TK, load_E, weight_TK, capacity)
        share_E = load_E / load_E.sum()
        balance = _BALANCE_COEF * (share_E - 1 / E).square().sum()  # of counts: no gradient
        return LayerOutput(
            y_BSD=y_TD.view_as(x_BSD), balance_loss=balance, z_loss=balance.new_zeros(())
        )

    def _run_experts(self, packed_ECD: Tensor, load_E: Tensor) -> Tensor:
        answer_ECD = torch.zeros_like(packed_ECD)
        for e in range(len(packed_ECD)):
            load = int(load_E[e].item())
            if load == 0:
                continue
            h = functional.gelu(packed_ECD[e, :load] @ self.w_in_EDF[e])
            answer_ECD[e, :load] = h @ self.w_out_EFD[e]
        return answer_ECD

    def _take_statistics(
        self, is_kept_TK: Tensor, load_E: Tensor, weight_TK: Tensor, capacity: int
    ) -> None:
        """What is reported of each layer in each step; every number stops and asks the device."""
        load = load_E.float()
        entropy_T = -(weight_TK * weight_TK.clamp_min(1e-9).log()).sum(dim=-1)
        self.statistics = {
            "drop_rate": 1 - is_kept_TK.sum().item() / is_kept_TK.numel(),
            "unrouted_rate": (~is_kept_TK).all(dim=1).float().mean().item(),
            "load_cv": (load.std(correction=0) / load.mean()).item(),
            "used_capacity": load.max().item() / capacity,
            "gate_entropy_nats": entropy_T.mean().item(),
        }


def _slots(expert_TK: Tensor, num_experts: int, capacity: int) -> tuple[Tensor, Tensor]:
    """Rank of each assignment at its expert in batch order, and filled slots of each expert."""
    expert_M = expert_TK.flatten()
    order_M = expert_M.argsort(stable=True)
    sorted_M = expert_M[order_M]
    position_M = torch.arange(len(order_M))
    is_first_M = torch.ones_like(sorted_M, dtype=torch.bool)
    is_first_M[1:] = sorted_M[1:] != sorted_M[:-1]
    group_M = is_first_M.long().cumsum(0) - 1
    start_G = torch.zeros(int(group_M.max().item()) + 1, dtype=torch.long)
    start_G.index_copy_(0, group_M[is_first_M], position_M[is_first_M])
    slot_M = torch.empty_like(order_M)
    slot_M[order_M] = position_M - start_G[group_M]
    load_E = torch.zeros(num_experts, dtype=torch.long)
    load_E.index_add_(0, expert_M, (slot_M < capacity).long())
    return slot_M.view_as(expert_TK), load_E
