"""N adapters with a router of their own (PERFT-R): k of them for each token."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from moebench.perft.accounting import Cost, router_cost
from moebench.perft.adapters.base import BaseRouting, BlockAdapter, Shape, spread
from moebench.perft.balance import balance_loss
from moebench.spec.adapters import AdapterSpec


class Routed(BlockAdapter):
    """y = MoE(h) + sum over the k likeliest j of G_j adapter_j(h), G = softmax(W h) over all N.

    ``router: frozen`` leaves W as it was drawn. ``legacy_weighting`` repeats a fault of the code
    behind published numbers: the j-th choice is weighted by the j-th weight of the *base* router,
    so that the task loss sends no gradient to W.
    """

    paper = "arXiv:2411.08212, PERFT-R"

    def __init__(
        self,
        shape: Shape,
        spec: AdapterSpec,
        *,
        num_adapters: int,
        top_k: int,
        router: Literal["trained", "frozen"] = "trained",
        legacy_weighting: bool = False,
    ):
        super().__init__(shape, spec, num_adapters)
        assert 1 <= top_k <= num_adapters
        if legacy_weighting and top_k > shape.top_k:
            raise ValueError(
                f"legacy_weighting with top_k={top_k} needs as many base experts a token, and "
                f"there are {shape.top_k}; choose top_k in 1..{shape.top_k}"
            )
        self.top_k = top_k
        self.is_trained = router == "trained"
        self.legacy_weighting = legacy_weighting
        self.router = nn.Parameter(
            torch.empty(num_adapters, shape.hidden_size), requires_grad=self.is_trained
        )
        nn.init.normal_(self.router, std=shape.hidden_size**-0.5)

    @property
    def learns_routing(self) -> bool:
        """Neither where it is frozen, nor where its probabilities weight nothing."""
        return self.is_trained and not self.legacy_weighting

    @property
    def num_activated(self) -> int:
        """Those that are chosen."""
        return self.top_k

    def cost(self) -> Cost:
        """Adapters, and the router where it is trained."""
        adapters = super().cost()
        if not self.is_trained:
            return adapters
        return adapters + router_cost(self.shape.hidden_size, self.num_adapters)

    def weights(self, h_TD: Tensor, routing: BaseRouting) -> Tensor | None:
        """Probabilities of the k likeliest; the router computes in float32, not in autocast."""
        with torch.autocast(h_TD.device.type, enabled=False):
            prob_TN = functional.linear(h_TD.to(self.router.dtype), self.router).softmax(dim=-1)
        weight_TK, adapter_TK = prob_TN.topk(self.top_k, dim=-1)
        # Nothing is to be balanced where the router cannot move: then it is a reading only.
        balanced_TN = prob_TN if self.is_trained else prob_TN.detach()
        self.balance_loss = balance_loss(balanced_TN, adapter_TK, self.is_token_T)
        if self.legacy_weighting:
            weight_TK = routing.weight_TK[:, : self.top_k]
        return spread(weight_TK, adapter_TK, self.num_adapters)
