"""The dispatch interface: bring tokens to their experts, and the weighted answers back.

Shapes: T tokens, D model width, F hidden width of one expert, E experts, N kept assignments.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from moebench.routers.base import Routing


class Experts(nn.Module):
    """E two-layer networks with an exact GELU between, x -> gelu(x @ w_in.T) @ w_out, no biases.

    Both matrices of an expert are (F, D): so their gradients are the products that run fastest.
    Every expert has matrices of its own: slicing one stacked parameter would make each slice's
    gradient a zero tensor of full size.
    """

    def __init__(self, num_experts: int, dim: int, hidden: int):
        super().__init__()
        self.w_in = nn.ParameterList(torch.empty(hidden, dim) for _ in range(num_experts))
        self.w_out = nn.ParameterList(torch.empty(hidden, dim) for _ in range(num_experts))

    def part(self, experts: range) -> "Experts":
        """Some of the experts, numbered from 0: their parameters themselves, no copies."""
        some = Experts(0, 0, 0)
        some.w_in.extend(self.w_in[expert] for expert in experts)
        some.w_out.extend(self.w_out[expert] for expert in experts)
        return some

    def forward(self, x_ND: Tensor, expert: int) -> Tensor:
        """Answer of one expert to the rows of ``x_ND``."""
        y_ND: Tensor = nn.functional.gelu(x_ND @ self.w_in[expert].T) @ self.w_out[expert]
        return y_ND


class Dispatch(ABC):
    """How assignments are carried out. Every dispatch equals ``reference``, gradients included."""

    @abstractmethod
    def __call__(self, x_TD: Tensor, routing: Routing, experts: Experts) -> Tensor:
        """Sum over the assignments of each token of weight times expert(token), shape (T, D)."""


def number_types(x_TD: Tensor, weight_N: Tensor) -> tuple[torch.dtype, torch.dtype]:
    """Types of the experts' products, which is autocast's, and of their weighted sums."""
    device = x_TD.device.type
    product = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x_TD.dtype
    return product, torch.promote_types(product, weight_N.dtype)
