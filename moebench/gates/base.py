"""The gate interface: from a token's vector to one logit per expert.

Shapes, here and in every gate: T tokens, D width, E experts, H hidden units.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional

# Root mean square of gelu(z) for a standard normal z, by Gauss-Hermite quadrature.
_GELU_RMS = 0.652090


class Gate(nn.Module, ABC):
    """The projection whose logits a router reads.

    Its parameters are matrices of shape (out, in) and nothing else: the model draws each with the
    variance ``1 / in``. From tokens of unit variance every gate then has logits of unit variance,
    so that gates differ in shape and not in how sure they are at the start.
    """

    def __init__(self, dim: int, num_experts: int):
        super().__init__()
        self.dim = dim
        self.num_experts = num_experts

    @property
    def dtype(self) -> torch.dtype:
        """Type in which the gate computes."""
        return next(self.parameters()).dtype

    def num_params(self) -> int:
        """Parameters of the gate."""
        return sum(parameter.numel() for parameter in self.parameters())

    @abstractmethod
    def forward(self, x_TD: Tensor) -> Tensor:
        """Logits of shape (T, E), in the type of ``x_TD``; each row of the token's own vector."""


def matrix(num_out: int, num_in: int) -> nn.Parameter:
    """A matrix (num_out, num_in) that keeps the scale of what it is applied to."""
    return nn.Parameter(torch.randn(num_out, num_in) * num_in**-0.5)


def unit_gelu(x: Tensor) -> Tensor:
    """GELU, divided by what it makes of the scale of a standard normal input."""
    return functional.gelu(x) / _GELU_RMS
