"""N adapters, all of them for every token (PERFT-D): added to the block's answer, ungated."""

from torch import Tensor

from moebench.perft.adapters.base import BaseRouting, BlockAdapter, Shape
from moebench.spec.adapters import AdapterSpec


class Dense(BlockAdapter):
    """y = MoE(h) + sum of all N adapters(h)."""

    paper = "arXiv:2411.08212, PERFT-D"

    def __init__(self, shape: Shape, spec: AdapterSpec, *, num_adapters: int):
        super().__init__(shape, spec, num_adapters)

    @property
    def num_activated(self) -> int:
        """All."""
        return self.num_adapters

    def weights(self, h_TD: Tensor, routing: BaseRouting) -> Tensor | None:
        """Nobody routes."""
        return None
