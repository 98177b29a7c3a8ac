"""The networks that are compared: a mixture of perceptrons, and dense ones sized after it.

Shapes: B rows, D = 784 features, E experts, K choices of a row, C = 10 classes.
"""

import torch
from torch import Tensor, nn

from moebench.energy.sizes import NUM_CLASSES, NUM_FEATURES, width_of
from moebench.kernels.base import Experts, Kernel
from moebench.registry import load
from moebench.routers.base import balance_loss
from moebench.spec.energy import NetworkName, ShapeSpec


class Mixture(nn.Module):
    """A gate, experts, and the kernel that runs them: top-k logits, softmax over these.

    As published: no noise, no capacity, nothing dropped.
    """

    def __init__(self, shape: ShapeSpec, kernel: str):
        super().__init__()
        self.top_k = shape.top_k
        self.gate = nn.Linear(NUM_FEATURES, shape.num_experts)
        hidden = [shape.width] * shape.num_layers
        self.experts = Experts(shape.num_experts, [NUM_FEATURES, *hidden, NUM_CLASSES])
        self.kernel = load(Kernel, kernel)()

    def choices(self, x_BD: Tensor) -> tuple[Tensor, Tensor]:
        """Weight and number of the K experts of each row, both (B, K)."""
        return self._chosen(self.gate(x_BD))

    def forward(self, x_BD: Tensor) -> Tensor:
        """Class scores of each row, shape (B, C)."""
        weight_BK, expert_BK = self.choices(x_BD)
        return self.kernel(x_BD, expert_BK, weight_BK, self.experts)

    def with_balance_loss(self, x_BD: Tensor) -> tuple[Tensor, Tensor]:
        """What ``forward`` gives, and Switch's balance loss of the batch, asking the gate once."""
        logit_BE = self.gate(x_BD)
        weight_BK, expert_BK = self._chosen(logit_BE)
        is_asked_BE = torch.zeros_like(logit_BE, dtype=torch.bool).scatter(1, expert_BK, True)
        score_BC = self.kernel(x_BD, expert_BK, weight_BK, self.experts)
        return score_BC, balance_loss(logit_BE.softmax(dim=-1), is_asked_BE)

    def load_E(self, x_BD: Tensor) -> Tensor:
        """Rows that each expert is chosen for."""
        num_experts = self.gate.out_features
        return torch.bincount(self.choices(x_BD)[1].flatten(), minlength=num_experts)

    def num_touched(self, x_BD: Tensor) -> int:
        """Different experts that a batch chooses."""
        return len(torch.unique(self.choices(x_BD)[1]))

    def _chosen(self, logit_BE: Tensor) -> tuple[Tensor, Tensor]:
        logit_BK, expert_BK = logit_BE.topk(self.top_k, dim=-1)
        return logit_BK.softmax(dim=-1), expert_BK


class Dense(nn.Sequential):
    """A perceptron with ReLUs between its layers."""

    def __init__(self, width: int, num_layers: int):
        dims = [NUM_FEATURES, *[width] * num_layers]
        layers: list[nn.Module] = []
        for put, out in zip(dims, dims[1:], strict=False):
            layers += [nn.Linear(put, out), nn.ReLU()]
        super().__init__(*layers, nn.Linear(width, NUM_CLASSES))


def build(network: NetworkName, shape: ShapeSpec, kernel: str = "grouped") -> Mixture | Dense:
    """A network of one size with its first weights; those of a mixture do not know the kernel."""
    if network == "moe":
        return Mixture(shape, kernel)
    return Dense(width_of(network, shape), shape.num_layers)


def seeded(network: NetworkName, shape: ShapeSpec, seed: int) -> Mixture | Dense:
    """A network whose first weights are those of the seed, whatever was drawn before."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build(network, shape)
