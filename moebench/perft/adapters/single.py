"""One adapter for all tokens (PERFT-S): added to the block's answer, ungated."""

from torch import Tensor

from moebench.perft.adapters.base import BaseRouting, BlockAdapter, Shape
from moebench.spec.adapters import AdapterSpec


class Single(BlockAdapter):
    """y = MoE(h) + adapter(h)."""

    paper = "arXiv:2411.08212, PERFT-S"
    num_activated = 1

    def __init__(self, shape: Shape, spec: AdapterSpec):
        super().__init__(shape, spec, num_adapters=1)

    def weights(self, h_TD: Tensor, routing: BaseRouting) -> Tensor | None:
        """Nobody routes."""
        return None
