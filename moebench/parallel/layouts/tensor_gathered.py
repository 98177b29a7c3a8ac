"""Tensor parallel as first published: an all-gather after every linear layer of every expert."""

from dataclasses import dataclass

import torch
from torch import Tensor

from moebench.parallel.differentiable import all_columns, replicated
from moebench.parallel.experts import assignments, gradient
from moebench.parallel.footprint import gate_numbers, gathered_bytes, routing_bytes
from moebench.parallel.layouts.base import Layout, Memory, Traffic
from moebench.parallel.network import Cell, share, share_sizes
from moebench.parallel.trace import Message
from moebench.parallel.weights import Weights


@dataclass(frozen=True, kw_only=True)
class ColumnShare:
    """Columns of both matrices of all experts, h = hidden units and o = outputs of this rank."""

    hidden: range
    outputs: range
    w_in_EhF: Tensor
    b_in_Eh: Tensor
    w_out_EHo: Tensor
    b_out_Eo: Tensor

    def parameters(self) -> list[Tensor]:
        """Every leaf of this share."""
        return [self.w_in_EhF, self.b_in_Eh, self.w_out_EHo, self.b_out_Eo]

    def place_gradients(self, full: dict[str, Tensor]) -> None:
        """Write this share's gradients where they belong among those of all experts."""
        hidden = slice(self.hidden.start, self.hidden.stop)
        outputs = slice(self.outputs.start, self.outputs.stop)
        full["w_in"][:, hidden] = gradient(self.w_in_EhF)
        full["b_in"][:, hidden] = gradient(self.b_in_Eh)
        full["w_out"][:, :, outputs] = gradient(self.w_out_EHo)
        full["b_out"][:, outputs] = gradient(self.b_out_Eo)


class TensorGathered(Layout):
    """Both matrices split by columns, so that each product must be put together before the next.

    Two collectives an expert where ``tensor`` has one for all experts. The published code made them
    once per row and slot; here all rows of an expert share them.
    """

    is_distributed = True
    experts: ColumnShare

    def forward(self, x_BF: Tensor) -> Tensor:
        """Compute expert after expert, all ranks at the same one."""
        group, network, own = self.communicator, self.network, self.experts
        routing = self._route(x_BF, self.gate_EF, self.gate_bias_E)
        order_N, num_rows = assignments(routing.expert_BK, network.num_experts)
        row_N = order_N // network.top_k
        x_NF = x_BF.index_select(0, row_N)
        weight_N = routing.weight_BK.flatten().index_select(0, order_N)
        hidden = share_sizes(network.hidden_dim, group.world_size)
        outputs = share_sizes(network.output_dim, group.world_size)
        self.trace.mark("dispatch")
        answers = []
        for x, w_in_hF, b_in_h, w_out_Ho, b_out_o in zip(
            x_NF.split_with_sizes(num_rows),
            *(each.unbind() for each in own.parameters()),
            strict=True,
        ):
            (x,) = replicated(group, x)
            h_NH = all_columns(group, torch.addmm(b_in_h, x, w_in_hF.T), hidden).relu()
            (h_NH,) = replicated(group, h_NH)
            answers.append(all_columns(group, torch.addmm(b_out_o, h_NH, w_out_Ho), outputs))
        self.trace.mark("experts")
        y_NO = torch.cat(answers) * weight_N.unsqueeze(1)
        y_BO = y_NO.new_zeros(len(x_BF), network.output_dim).index_add(0, row_N, y_NO)
        self.trace.mark("dispatch")
        return y_BO

    @classmethod
    def communication(cls, cell: Cell, rank: int, expert_BK: Tensor) -> Traffic:
        """Per expert, own columns of both products; backward, gradients of what went into them."""
        network, W, size = cell.network, cell.world_size, cell.itemsize
        if W == 1:
            return Traffic(forward=[], backward=[])
        own_hidden = len(share(network.hidden_dim, W, rank))
        own_outputs = len(share(network.output_dim, W, rank))
        forward, backward = [], []
        for N in torch.bincount(expert_BK.flatten(), minlength=network.num_experts).tolist():
            for columns in (own_hidden, own_outputs):
                forward.append(Message("all_gather", size * N * columns, W))
            for columns in (network.hidden_dim, network.feature_dim):
                backward.append(Message("all_reduce", size * N * columns, W))
        return Traffic(forward=forward, backward=backward)

    @classmethod
    def memory(cls, cell: Cell, rank: int, expert_BK: Tensor) -> Memory:
        """Own columns of all matrices; whole products on every rank, and what was sent of them."""
        network, W = cell.network, cell.world_size
        E, F, H = network.num_experts, network.feature_dim, network.hidden_dim
        own_hidden = len(share(H, W, rank))
        own_outputs = len(share(network.output_dim, W, rank))
        columns = E * (own_hidden * (F + 1) + own_outputs * (H + 1))
        N = expert_BK.numel()
        return Memory(
            weights_bytes=cell.itemsize * (gate_numbers(network) + columns),
            activations_bytes=routing_bytes(cell, cell.batch_size)
            + gathered_bytes(cell, N)
            + cell.itemsize * N * (2 * H + 2 * network.output_dim),
            buffers_bytes=cell.itemsize * N * 2 * (own_hidden + own_outputs),
        )

    @classmethod
    def num_idle_ranks(cls, cell: Cell) -> int:
        """Ranks left over where there are fewer hidden units than ranks."""
        return max(0, cell.world_size - cell.network.hidden_dim)

    def _share(self, weights: Weights) -> ColumnShare:
        network, group = weights.network, self.communicator
        hidden = share(network.hidden_dim, group.world_size, group.rank)
        outputs = share(network.output_dim, group.world_size, group.rank)
        units, columns = slice(hidden.start, hidden.stop), slice(outputs.start, outputs.stop)
        blocks = []
        for expert in range(network.num_experts):
            w_in_HF, b_in_H, w_out_HO, b_out_O = weights.expert(expert)
            blocks.append((w_in_HF[units], b_in_H[units], w_out_HO[:, columns], b_out_O[columns]))
        stacked = [torch.stack(each).requires_grad_() for each in zip(*blocks, strict=True)]
        return ColumnShare(
            hidden=hidden,
            outputs=outputs,
            w_in_EhF=stacked[0],
            b_in_Eh=stacked[1],
            w_out_EHo=stacked[2],
            b_out_Eo=stacked[3],
        )
