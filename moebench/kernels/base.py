"""The kernel interface: run the chosen experts of every row, and mix their answers.

Shapes: B rows, D width of a row, F hidden width of one expert, C classes, E experts, K choices of a
row, N = B * K assignments, O and I the answer and the input of a layer.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

Layers = Sequence[tuple[Tensor, Tensor]]  # weight (O, I) and bias (O) of each layer of one expert


class Experts(nn.Module):
    """E perceptrons with ReLUs between their layers; each layer's weights stacked over experts.

    ``dims`` are the widths from input to answer. Weights are drawn as ``nn.Linear`` draws its own.
    """

    def __init__(self, num_experts: int, dims: Sequence[int]):
        super().__init__()
        sizes = list(zip(dims, dims[1:], strict=False))
        self.num_experts = num_experts
        self.weight = nn.ParameterList(torch.empty(num_experts, out, put) for put, out in sizes)
        self.bias = nn.ParameterList(torch.empty(num_experts, out) for _, out in sizes)
        for weight_EOI, bias_EO in zip(self.weight, self.bias, strict=True):
            bound = weight_EOI.shape[-1] ** -0.5
            nn.init.uniform_(weight_EOI, -bound, bound)
            nn.init.uniform_(bias_EO, -bound, bound)

    def by_expert(self) -> list[Layers]:
        """The layers of each expert, as views; their gradients arrive in one piece per layer."""
        weights = [weight_EOI.unbind(0) for weight_EOI in self.weight]
        biases = [bias_EO.unbind(0) for bias_EO in self.bias]
        return [
            list(zip(weight_L, bias_L, strict=True))
            for weight_L, bias_L in zip(
                zip(*weights, strict=True), zip(*biases, strict=True), strict=True
            )
        ]


class Kernel(ABC):
    """How chosen experts are run. Every kernel equals ``naive``, gradients included."""

    @abstractmethod
    def __call__(
        self, x_BD: Tensor, expert_BK: Tensor, weight_BK: Tensor, experts: Experts
    ) -> Tensor:
        """Sum over the choices of each row of weight times the expert's answer, shape (B, C)."""


def answer(x_BD: Tensor, layers: Layers) -> Tensor:
    """Answer of one perceptron to its rows, layer by layer in the plainest way."""
    for place, (weight_OI, bias_O) in enumerate(layers):
        x_BD = functional.linear(x_BD, weight_OI, bias_O)
        if place < len(layers) - 1:
            x_BD = functional.relu(x_BD)
    return x_BD
