"""One matrix: the gate of nearly every mixture since arXiv:1701.06538, eq. 4."""

from torch import Tensor
from torch.nn import functional

from moebench.gates.base import Gate, matrix


class Linear(Gate):
    """Logits W x, without a bias; E * D parameters."""

    def __init__(self, dim: int, num_experts: int):
        super().__init__(dim, num_experts)
        self.weight = matrix(num_experts, dim)

    def forward(self, x_TD: Tensor) -> Tensor:
        """Project each token."""
        return functional.linear(x_TD, self.weight)
