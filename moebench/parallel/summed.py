"""Layouts in which all ranks route all rows, and one all-reduce sums up what each has computed."""

from abc import abstractmethod

from torch import Tensor

from moebench.parallel.differentiable import replicated, summed
from moebench.parallel.experts import ExpertShare
from moebench.parallel.footprint import (
    Part,
    gate_numbers,
    mix_bytes,
    parameters_bytes,
    routing_bytes,
)
from moebench.parallel.layouts.base import Layout, Memory, Traffic
from moebench.parallel.network import Cell, Network
from moebench.parallel.trace import Message
from moebench.parallel.weights import Weights


class Summed(Layout):
    """Routing replicated, experts shared out, one collective forward and one backward."""

    is_distributed = True
    experts: ExpertShare

    @classmethod
    @abstractmethod
    def held(cls, network: Network, world_size: int, rank: int) -> tuple[range, range]:
        """Experts and hidden units that a rank holds."""

    def forward(self, x_BF: Tensor) -> Tensor:
        """Mix this rank's share, and sum up."""
        x_BF, gate_EF, gate_bias_E = replicated(
            self.communicator, x_BF, self.gate_EF, self.gate_bias_E
        )
        routing = self._route(x_BF, gate_EF, gate_bias_E)
        return summed(self.communicator, self.experts.mix(x_BF, routing, self.trace))

    @classmethod
    def communication(cls, cell: Cell, rank: int, expert_BK: Tensor) -> Traffic:
        """One output; and backward the gradients of input and gate in one message."""
        if cell.world_size == 1:
            return Traffic(forward=[], backward=[])
        network, W = cell.network, cell.world_size
        output = cell.itemsize * cell.batch_size * network.output_dim
        inputs = cell.itemsize * (cell.batch_size * network.feature_dim + gate_numbers(network))
        return Traffic(
            forward=[Message("all_reduce", output, W)], backward=[Message("all_reduce", inputs, W)]
        )

    @classmethod
    def memory(cls, cell: Cell, rank: int, expert_BK: Tensor) -> Memory:
        """A share of the experts; the output is summed in place."""
        experts, hidden = cls.held(cell.network, cell.world_size, rank)
        part = Part(
            num_experts=len(experts), num_hidden=len(hidden), adds_bias=cls._adds_bias(hidden)
        )
        mine = (expert_BK >= experts.start) & (expert_BK < experts.stop)
        made = mix_bytes(cell, part, cell.batch_size, int(mine.sum()))
        return Memory(
            weights_bytes=parameters_bytes(cell, part),
            activations_bytes=routing_bytes(cell, cell.batch_size) + made,
            buffers_bytes=0,
        )

    @classmethod
    def num_idle_ranks(cls, cell: Cell) -> int:
        """Ranks left over where there are fewer experts, or hidden units, than ranks."""
        held = (cls.held(cell.network, cell.world_size, rank) for rank in range(cell.world_size))
        return sum(len(experts) * len(hidden) == 0 for experts, hidden in held)

    @staticmethod
    def _adds_bias(hidden: range) -> bool:
        """The rank with an expert's first hidden unit adds its output bias."""
        return hidden.start == 0 and len(hidden) > 0

    def _share(self, weights: Weights) -> ExpertShare:
        group = self.communicator
        experts, hidden = self.held(weights.network, group.world_size, group.rank)
        return ExpertShare.of(weights, experts, hidden, self._adds_bias(hidden))
