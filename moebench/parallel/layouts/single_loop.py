"""One expert call per row and slot, as the published code did: a control, and the definition."""

import torch
from torch import Tensor

from moebench.parallel.footprint import Part, parameters_bytes, routing_bytes
from moebench.parallel.layouts.base import Memory
from moebench.parallel.layouts.single import Single
from moebench.parallel.network import Cell


class SingleLoop(Single):
    """To be believed at once, and never made faster."""

    is_distributed = False

    def forward(self, x_BF: Tensor) -> Tensor:
        """Softmax over all experts, top-k, renormalise; then row by row and slot by slot."""
        prob_BE = (x_BF @ self.gate_EF.T + self.gate_bias_E).softmax(dim=1)
        prob_BK, expert_BK = prob_BE.topk(self.network.top_k, dim=1)
        weight_BK = prob_BK / prob_BK.sum(dim=1, keepdim=True)
        self.trace.mark("routing")
        y_BO = [
            sum(
                weight * self._answer(x_F, expert)
                for expert, weight in zip(experts, weight_K, strict=True)
            )
            for x_F, experts, weight_K in zip(x_BF, expert_BK.tolist(), weight_BK, strict=True)
        ]
        self.trace.mark("experts")
        return torch.stack(y_BO)

    def _answer(self, x_F: Tensor, expert: int) -> Tensor:
        H = self.network.hidden_dim
        units = slice(expert * H, (expert + 1) * H)
        own = self.experts
        assert own.b_out_LO is not None, "a share of whole experts holds their output biases"
        h_H = (own.w_in_JF[units] @ x_F + own.b_in_J[units]).relu()
        return h_H @ own.w_out_JO[units] + own.b_out_LO[expert]

    @classmethod
    def memory(cls, cell: Cell, rank: int, expert_BK: Tensor) -> Memory:
        """Everything; per row and slot, hidden units three times and answers four times."""
        network = cell.network
        part = Part(num_experts=network.num_experts, num_hidden=network.hidden_dim)
        slot = 3 * network.hidden_dim + 4 * network.output_dim
        stacked = cell.batch_size * network.output_dim
        made = cell.itemsize * (expert_BK.numel() * slot + stacked)
        return Memory(
            weights_bytes=parameters_bytes(cell, part),
            activations_bytes=routing_bytes(cell, cell.batch_size) + made,
            buffers_bytes=0,
        )
