"""A network of one hidden layer: half as wide as the model, but at least 64."""

from torch import Tensor
from torch.nn import functional

from moebench.gates.base import Gate, matrix, unit_gelu

_NARROWEST = 64


class Mlp(Gate):
    """Logits V gelu(U x) with H = max(64, D // 2) hidden units; H * (D + E) parameters."""

    def __init__(self, dim: int, num_experts: int):
        super().__init__(dim, num_experts)
        hidden = max(_NARROWEST, dim // 2)
        self.hidden = matrix(hidden, dim)
        self.out = matrix(num_experts, hidden)

    def forward(self, x_TD: Tensor) -> Tensor:
        """Project each token to hidden units, and these to logits."""
        hidden_TH = unit_gelu(functional.linear(x_TD, self.hidden))
        return functional.linear(hidden_TH, self.out)
