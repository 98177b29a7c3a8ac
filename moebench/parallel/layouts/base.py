"""The layout interface: one MoE layer, carried out by one rank or by many.

Shapes, here and in every layout: B rows of the batch, F features, O outputs, E experts, K choices
of a row, N assignments or rows on their way, W ranks.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Protocol

from torch import Tensor

from moebench.parallel.communicators.base import Communicator
from moebench.parallel.experts import Routing, gradient, route
from moebench.parallel.network import Cell
from moebench.parallel.trace import Message
from moebench.parallel.weights import Weights


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """What one rank sends, in order."""

    forward: list[Message]
    backward: list[Message]  # gradients of input and of every parameter


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What one rank holds."""

    weights_bytes: int  # its parameters
    activations_bytes: int  # what a forward pass makes, kept to its end as training keeps it
    buffers_bytes: int  # what collectives send from and receive into, besides activations


class Share(Protocol):
    """A rank's part of the experts."""

    def parameters(self) -> list[Tensor]:
        """Every leaf of the part."""

    def place_gradients(self, full: dict[str, Tensor]) -> None:
        """Write the part's gradients where they belong among those of all experts."""


class Layout(ABC):
    """The network's gate and experts, shared out over the ranks of a communicator.

    Every rank holds the whole input before ``forward`` and the whole output after it, so that
    layouts are comparable: what a layout saves by splitting the batch it pays for at the end. The
    backward pass starts from the gradient of the whole output, equal on every rank, and leaves the
    whole gradient of the input on every rank, that of the gate on every rank, and that of an
    expert's parameters where they lie. All ranks must call both, in the same order.
    """

    is_distributed: ClassVar[bool]  # whether more than one rank takes part
    experts: Share

    def __init__(self, weights: Weights, communicator: Communicator):
        self.weights = weights
        self.network = weights.network
        self.communicator = communicator
        self.trace = communicator.trace
        self.gate_EF, self.gate_bias_E = (each.requires_grad_() for each in weights.gate())
        self.experts = self._share(weights)

    @abstractmethod
    def forward(self, x_BF: Tensor) -> Tensor:
        """Weighted sum of the chosen experts' answers to every row, shape (B, O)."""

    @classmethod
    @abstractmethod
    def communication(cls, cell: Cell, rank: int, expert_BK: Tensor) -> Traffic:
        """Predict what a rank sends where rows choose ``expert_BK``, without running anything."""

    @classmethod
    @abstractmethod
    def memory(cls, cell: Cell, rank: int, expert_BK: Tensor) -> Memory:
        """Predict what a rank holds where rows choose ``expert_BK``."""

    @classmethod
    @abstractmethod
    def num_idle_ranks(cls, cell: Cell) -> int:
        """Ranks that hold no part of any expert."""

    def parameters(self) -> list[Tensor]:
        """Every leaf on this rank."""
        return [self.gate_EF, self.gate_bias_E, *self.experts.parameters()]

    def zero_grad(self) -> None:
        """Forget the gradients of the last backward pass."""
        for parameter in self.parameters():
            parameter.grad = None

    def gradients(self) -> dict[str, Tensor]:
        """Gradients of all parameters of the network, collected from all ranks onto each.

        Keys: gate (E, F), gate_bias (E,), w_in (E, H, F), b_in (E, H), w_out (E, H, O) and
        b_out (E, O), H being all hidden units of an expert.
        For comparison with another layout, not for speed; all ranks must call it.
        """
        network = self.network
        E, H = network.num_experts, network.hidden_dim
        new = self.gate_EF.detach().new_zeros
        full = {
            "w_in": new(E, H, network.feature_dim),
            "b_in": new(E, H),
            "w_out": new(E, H, network.output_dim),
            "b_out": new(E, network.output_dim),
        }
        self.experts.place_gradients(full)
        if self.is_distributed:
            summed = self.communicator.all_reduce_packed(list(full.values()))
            full = dict(zip(full, summed, strict=True))
        return {"gate": gradient(self.gate_EF), "gate_bias": gradient(self.gate_bias_E), **full}

    @abstractmethod
    def _share(self, weights: Weights) -> Share:
        """Draw this rank's part of the experts."""

    def _route(self, x_BF: Tensor, gate_EF: Tensor, gate_bias_E: Tensor) -> Routing:
        routing = route(x_BF, gate_EF, gate_bias_E, self.network.top_k)
        self.trace.mark("routing")
        return routing
