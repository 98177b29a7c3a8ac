"""One adapter per base expert, within its weight (PERFT-E): the frozen base router routes."""

from torch import Tensor

from moebench.perft.adapters.base import BaseRouting, BlockAdapter, Shape, spread
from moebench.spec.adapters import AdapterSpec


class Embedded(BlockAdapter):
    """y = sum_i G_i (E_i(h) + adapter_i(h)) = MoE(h) + sum_i G_i adapter_i(h)."""

    paper = "arXiv:2411.08212, PERFT-E"

    def __init__(self, shape: Shape, spec: AdapterSpec):
        super().__init__(shape, spec, num_adapters=shape.num_experts)

    @property
    def num_activated(self) -> int:
        """As many as base experts."""
        return self.shape.top_k

    def weights(self, h_TD: Tensor, routing: BaseRouting) -> Tensor | None:
        """Those of the base experts."""
        return spread(routing.weight_TK, routing.expert_TK, self.num_adapters)
