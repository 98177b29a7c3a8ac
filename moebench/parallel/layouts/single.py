"""All experts in one process: what every other layout must equal, and be faster than."""

from torch import Tensor

from moebench.parallel.experts import ExpertShare
from moebench.parallel.footprint import Part, mix_bytes, parameters_bytes, routing_bytes
from moebench.parallel.layouts.base import Layout, Memory, Traffic
from moebench.parallel.network import Cell
from moebench.parallel.weights import Weights


class Single(Layout):
    """Route every row, compute its experts, sum up. A second rank would only repeat it."""

    is_distributed = False
    experts: ExpertShare

    def forward(self, x_BF: Tensor) -> Tensor:
        """Mix the experts of every row."""
        routing = self._route(x_BF, self.gate_EF, self.gate_bias_E)
        return self.experts.mix(x_BF, routing, self.trace)

    @classmethod
    def communication(cls, cell: Cell, rank: int, expert_BK: Tensor) -> Traffic:
        """Nothing is sent."""
        return Traffic(forward=[], backward=[])

    @classmethod
    def memory(cls, cell: Cell, rank: int, expert_BK: Tensor) -> Memory:
        """Everything, on the first rank."""
        part = Part(num_experts=cell.network.num_experts, num_hidden=cell.network.hidden_dim)
        made = mix_bytes(cell, part, cell.batch_size, expert_BK.numel())
        return Memory(
            weights_bytes=parameters_bytes(cell, part),
            activations_bytes=routing_bytes(cell, cell.batch_size) + made,
            buffers_bytes=0,
        )

    @classmethod
    def num_idle_ranks(cls, cell: Cell) -> int:
        """All but one."""
        return cell.world_size - 1

    def _share(self, weights: Weights) -> ExpertShare:
        network = weights.network
        return ExpertShare.of(weights, range(network.num_experts), range(network.hidden_dim))
