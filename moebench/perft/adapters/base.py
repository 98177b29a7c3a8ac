"""The adapter interface: what stands beside, or in, one layer of a frozen base model.

Shapes, here and in every adapter: T tokens, D width, E experts of the base, K of them a token,
N adapters of a layer, r their rank, B sequences of S tokens.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from moebench.perft.accounting import Cost, block_cost
from moebench.spec.adapters import AdapterSpec


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What an adapter needs to know of its base model."""

    hidden_size: int  # D
    num_experts: int  # E, of one block
    top_k: int  # experts a token
    query_size: int  # rows of the projection to queries
    value_size: int  # rows of the projection to values


@dataclass(frozen=True, kw_only=True)
class BaseRouting:
    """What the frozen router of a block decided: K experts a token, and their weights."""

    expert_TK: Tensor
    weight_TK: Tensor  # largest first


class Adapter(nn.Module, ABC):
    """Adapters of one layer.

    At first they add exactly nothing: whatever is multiplied last is zero. The constructor is given
    the base model's shape and the spec that all variants share; options that config may set are its
    keyword-only parameters. ValueError for a spec that does not fit the base model.
    """

    paper: ClassVar[str]

    def __init__(self, shape: Shape, spec: AdapterSpec):
        super().__init__()
        if spec.rank > shape.hidden_size:
            raise ValueError(
                f"rank={spec.rank} is larger than the hidden size {shape.hidden_size} of the base "
                f"model; choose 1..{shape.hidden_size}"
            )
        self.shape = shape
        self.spec = spec
        self.is_token_T: Tensor | None = None  # where the input is no padding; None: everywhere
        self.balance_loss: Tensor | None = None  # of the last forward pass; None: no own router

    @abstractmethod
    def attach(self, layer: nn.Module) -> None:
        """Make a decoder layer answer with the adapters' part as well; done once."""

    @property
    def learns_routing(self) -> bool:
        """Whether the task loss sends a gradient to a router among the adapters."""
        return False

    @abstractmethod
    def cost(self) -> Cost:
        """Parameters by formula: all that are trained here, and those that one token meets."""


class BlockAdapter(Adapter):
    """N adapters beside a block, each with a weight: y = block(h) + sum_j weight_j adapter_j(h).

    All N are computed for every token, as two products, and weighted between the two: the second is
    linear, so this equals weighting the answers. A token's weight is 0 for those not chosen.
    """

    def __init__(self, shape: Shape, spec: AdapterSpec, num_adapters: int):
        super().__init__(shape, spec)
        self.num_adapters = num_adapters
        width = num_adapters * spec.rank
        self.down = nn.Parameter(torch.empty(width, shape.hidden_size))
        nn.init.normal_(self.down, std=shape.hidden_size**-0.5)
        self.up = nn.Parameter(torch.zeros(shape.hidden_size, width))
        self._routing: BaseRouting | None = None

    @property
    @abstractmethod
    def num_activated(self) -> int:
        """Adapters that one token meets."""

    @abstractmethod
    def weights(self, h_TD: Tensor, routing: BaseRouting) -> Tensor | None:
        """Weights of shape (T, N), 0 for adapters that a token does not meet; None: all are 1."""

    def cost(self) -> Cost:
        """Of the adapters alone; who has a router adds it."""
        return block_cost(
            self.shape.hidden_size, self.spec.rank, self.num_adapters, self.num_activated
        )

    def attach(self, layer: nn.Module) -> None:
        """Hook the block whole, whatever its experts look like, and listen to its router."""
        assert isinstance(layer.mlp, nn.Module)
        assert isinstance(layer.mlp.gate, nn.Module)
        layer.mlp.gate.register_forward_hook(self._listen)
        layer.mlp.register_forward_hook(self._add)

    def forward(self, h_TD: Tensor, routing: BaseRouting) -> Tensor:
        """What the adapters add, of shape (T, D)."""
        weight_TN = self.weights(h_TD, routing)
        input_TD = functional.dropout(h_TD, self.spec.dropout, self.training)
        z_TNr = functional.linear(input_TD, self.down).view(
            len(h_TD), self.num_adapters, self.spec.rank
        )
        if self.spec.inner == "parallel":
            z_TNr = functional.silu(z_TNr)
        if weight_TN is not None:
            z_TNr = z_TNr * weight_TN[..., None]
        added_TD: Tensor = self.spec.scale * functional.linear(z_TNr.flatten(1), self.up)
        return added_TD

    def _listen(self, gate: nn.Module, args: Any, out: tuple[Tensor, Tensor, Tensor]) -> None:
        _, weight_TK, expert_TK = out
        self._routing = BaseRouting(expert_TK=expert_TK, weight_TK=weight_TK)

    def _add(self, block: nn.Module, args: tuple[Tensor], y_BSD: Tensor) -> Tensor:
        assert self._routing is not None
        added_TD: Tensor = self(args[0].flatten(0, 1), self._routing)
        self._routing = None
        return y_BSD + added_TD.view_as(y_BSD).to(y_BSD.dtype)


def spread(weight_TK: Tensor, index_TK: Tensor, num_adapters: int) -> Tensor:
    """Weights (T, K) of chosen adapters at their places among all N, zero elsewhere."""
    zero_TN = weight_TK.new_zeros(len(weight_TK), num_adapters)
    spread_TN: Tensor = zero_TN.scatter(1, index_TK, weight_TK)
    return spread_TN
