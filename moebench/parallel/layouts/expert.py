"""Expert parallel: rows are sent to the ranks that hold their experts, and answers come back."""

import torch
from torch import Tensor

from moebench.parallel.communicators.base import Alone, Communicator
from moebench.parallel.differentiable import all_rows, own_rows, replicated, summed
from moebench.parallel.exchange import Exchange, expert_of_rows
from moebench.parallel.experts import ExpertShare, assignments
from moebench.parallel.footprint import (
    INDEX_BYTES,
    Part,
    answer_bytes,
    gate_numbers,
    parameters_bytes,
    routing_bytes,
)
from moebench.parallel.layouts.base import Layout, Memory, Traffic
from moebench.parallel.network import Cell, share, share_sizes
from moebench.parallel.trace import Message
from moebench.parallel.weights import Weights


class ExpertParallel(Layout):
    """Each rank routes its own rows of the batch; three all-to-alls carry counts, rows and answers.

    The batch is split at the start and gathered at the end, as the interface has it.
    """

    is_distributed = True
    experts: ExpertShare

    def __init__(self, weights: Weights, communicator: Communicator):
        self.exchange, self.hidden_group = self._groups(communicator)
        self._exchanged = Exchange(self.exchange, weights.network.num_experts)
        super().__init__(weights, communicator)

    @classmethod
    def hidden_ranks(cls, world_size: int) -> int:
        """Ranks that share the hidden units of the same experts."""
        return 1

    def forward(self, x_BF: Tensor) -> Tensor:
        """Route own rows, send them out, answer those that come in, get the answers back."""
        group, network = self.exchange, self.network
        num_rows = share_sizes(len(x_BF), group.world_size)
        x_RF, gate_EF, gate_bias_E = own_rows(group, x_BF, num_rows, self.gate_EF, self.gate_bias_E)
        x_RF, gate_EF, gate_bias_E = replicated(self.hidden_group, x_RF, gate_EF, gate_bias_E)
        routing = self._route(x_RF, gate_EF, gate_bias_E)
        order_N, load = assignments(routing.expert_BK, network.num_experts)
        x_NF = x_RF.index_select(0, order_N // network.top_k)
        self.trace.mark("dispatch")
        y_NO = self._exchanged.answers(x_NF, load, self._answer_own)
        y_NO = torch.empty_like(y_NO).index_copy_(0, order_N, y_NO)  # row by row again
        y_RKO = y_NO.view(len(x_RF), network.top_k, network.output_dim)
        y_RO = torch.bmm(routing.weight_BK.unsqueeze(1), y_RKO).squeeze(1)
        self.trace.mark("dispatch")
        return all_rows(group, summed(self.hidden_group, y_RO), num_rows, is_partial=False)

    def _answer_own(self, come_NF: Tensor, come_WL: list[list[int]]) -> Tensor:
        """Answer rows that lie rank by rank, and in each rank's in the order of experts."""
        L = len(self.experts.experts)
        num_rows = [sum(counts) for counts in zip(*come_WL, strict=True)]
        if L < 2:
            self.trace.mark("dispatch")
            y_NO = self.experts.answer(come_NF, num_rows)
            self.trace.mark("experts")
            return y_NO
        order_N = expert_of_rows(come_WL, come_NF.device).argsort(stable=True)
        x_NF = come_NF.index_select(0, order_N)
        self.trace.mark("dispatch")
        y_NO = self.experts.answer(x_NF, num_rows)
        self.trace.mark("experts")
        return torch.empty_like(y_NO).index_copy_(0, order_N, y_NO)

    @classmethod
    def communication(cls, cell: Cell, rank: int, expert_BK: Tensor) -> Traffic:
        """Counts, rows, answers and the output's rows; backward the gradients of all but counts."""
        network, size = cell.network, cell.itemsize
        T = cls.hidden_ranks(cell.world_size)
        D, F, O = cell.world_size // T, network.feature_dim, network.output_dim  # noqa: E741
        own, sent, come = _flows(expert_BK, network.num_experts, D, rank // T)
        most = len(share(network.num_experts, D, 0))
        gate = gate_numbers(network)
        hidden_forward = [Message("all_reduce", size * own * O, T)] if T > 1 else []
        hidden_backward = [Message("all_reduce", size * (own * F + gate), T)] if T > 1 else []
        if D == 1:
            return Traffic(forward=hidden_forward, backward=hidden_backward)
        return Traffic(
            forward=[
                Message("all_to_all", INDEX_BYTES * most * (D - 1), D),
                Message("all_to_all", size * sent * F, D),
                Message("all_to_all", size * come * O, D),
                *hidden_forward,
                Message("all_gather", size * own * O, D),
            ],
            backward=[
                Message("all_to_all", size * sent * O, D),
                Message("all_to_all", size * come * F, D),
                *hidden_backward,
                Message("all_gather", size * own * F, D),
                Message("all_reduce", size * gate, D),
            ],
        )

    @classmethod
    def memory(cls, cell: Cell, rank: int, expert_BK: Tensor) -> Memory:
        """A share of the experts, own rows, and the rows that come in."""
        network, size = cell.network, cell.itemsize
        T = cls.hidden_ranks(cell.world_size)
        D, F, O = cell.world_size // T, network.feature_dim, network.output_dim  # noqa: E741
        own, sent, come = _flows(expert_BK, network.num_experts, D, rank // T)
        kept = own * network.top_k - sent
        part = Part(
            num_experts=len(share(network.num_experts, D, rank // T)),
            num_hidden=len(share(network.hidden_dim, T, rank % T)),
            adds_bias=rank % T == 0,
        )
        dispatched = (sent + kept) * (F + O) + own * O
        sorted_rows = (come + kept) * (F + 2 * O) if part.num_experts > 1 else 0
        received = (come + kept) * F + (sent + kept) * O + cell.batch_size * O
        return Memory(
            weights_bytes=parameters_bytes(cell, part),
            activations_bytes=routing_bytes(cell, own)
            + size * (dispatched + sorted_rows)
            + answer_bytes(cell, part, come + kept),
            buffers_bytes=size * received if D > 1 else 0,
        )

    @classmethod
    def num_idle_ranks(cls, cell: Cell) -> int:
        """Ranks left over where there are fewer experts than ranks."""
        T = cls.hidden_ranks(cell.world_size)
        D = cell.world_size // T
        busy = min(D, cell.network.num_experts) * min(T, cell.network.hidden_dim)
        return cell.world_size - busy

    @classmethod
    def _groups(cls, communicator: Communicator) -> tuple[Communicator, Communicator]:
        """The ranks that rows are exchanged with, and those that share this rank's experts."""
        return communicator, Alone()

    def _share(self, weights: Weights) -> ExpertShare:
        network, within = weights.network, self.hidden_group
        hidden = share(network.hidden_dim, within.world_size, within.rank)
        return ExpertShare.of(weights, self._exchanged.own, hidden, adds_bias=within.rank == 0)


def _flows(expert_BK: Tensor, num_experts: int, D: int, mine: int) -> tuple[int, int, int]:
    """Rows of the batch that rank ``mine`` of D owns, and assignments that leave and reach it."""
    owner_E = torch.tensor([d for d in range(D) for _ in share(num_experts, D, d)])
    to_BK = owner_E[expert_BK]
    rows = share(len(expert_BK), D, mine)
    is_own_B1 = torch.zeros(len(expert_BK), 1, dtype=torch.bool)
    is_own_B1[rows.start : rows.stop] = True
    sent = int((is_own_B1 & (to_BK != mine)).sum())
    come = int((~is_own_B1 & (to_BK == mine)).sum())
    return len(rows), sent, come
