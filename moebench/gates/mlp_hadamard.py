"""A network whose answer is multiplied with its own input, channel by channel, then projected."""

from torch import Tensor
from torch.nn import functional

from moebench.gates.base import Gate, matrix, unit_gelu


class MlpHadamard(Gate):
    """Logits W (V gelu(U x) * x) with D hidden units; 2 * D * D + E * D parameters."""

    def __init__(self, dim: int, num_experts: int):
        super().__init__(dim, num_experts)
        self.hidden = matrix(dim, dim)
        self.scale = matrix(dim, dim)
        self.out = matrix(num_experts, dim)

    def forward(self, x_TD: Tensor) -> Tensor:
        """Scale each channel of a token by what the network says of the token, and project."""
        hidden_TD = unit_gelu(functional.linear(x_TD, self.hidden))
        scale_TD = functional.linear(hidden_TD, self.scale)
        return functional.linear(scale_TD * x_TD, self.out)
