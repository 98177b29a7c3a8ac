"""The MoE layer: gate, router, capacity, dispatch, experts, combine; and its dense counterparts.

Shapes: B sequences of S tokens, T = B * S tokens of the pool, D width, E experts,
G columns of the gate.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from moebench.capacity import causality
from moebench.dispatch.base import Dispatch, Experts
from moebench.gates.base import Gate
from moebench.pools import Choice, Slots
from moebench.registry import load
from moebench.routers.base import (
    Causality,
    Router,
    RouterSetting,
    Routing,
    z_loss,
)
from moebench.spec import BASELINES, RunSpec


@dataclass(frozen=True, kw_only=True)
class LayerOutput:
    """What a feed-forward layer returns; statistics are derived from it by whoever wants them."""

    y_BSD: Tensor
    balance_loss: Tensor  # scalar, 0 where there is no gate
    z_loss: Tensor  # scalar, 0 where there is no gate
    logits_TE: Tensor | None = None
    choice: Choice | None = None  # None where every token visits the one network

    @property
    def requested(self) -> Routing | None:
        """Assignments before capacity."""
        return None if self.choice is None else self.choice.requested

    @property
    def kept(self) -> Routing | None:
        """Assignments after capacity."""
        return None if self.choice is None else self.choice.kept


class Spread(Protocol):
    """How the tokens of a training step lie on several ranks, for routers that look at them all."""

    def choose(
        self, slots: Slots, router: Router, logits_TG: Tensor, token_id_BS: Tensor
    ) -> Choice:
        """What the slots choose among the tokens of all ranks, as far as it is this rank's."""


class MoELayer(nn.Module):
    """A gate and experts around any router, drop policy and dispatch."""

    def __init__(self, spec: RunSpec, token_count_V: Tensor):
        super().__init__()
        model = spec.model
        setting = RouterSetting(
            num_experts=model.num_routed_experts,
            top_k=model.routed_top_k,
            token_count_V=token_count_V,
            balance_scope=spec.training.balance_scope,
        )
        self.router: Router = load(Router, spec.router)(setting, **spec.router_options)
        self.gate: Gate = load(Gate, model.gate)(model.dim, self.router.num_logits)
        self.experts = Experts(model.num_routed_experts, model.dim, model.expert_dim)
        # Experts that every token visits, side by side: one network as wide as all of them.
        width = model.num_shared_experts * model.expert_dim
        self.shared = Experts(1, model.dim, width) if width else None
        self.dispatch: Dispatch = load(Dispatch, model.dispatch)()
        self.slots = Slots(
            capacity_factor=model.capacity_factor, drop_policy=model.drop_policy, pool=model.pool
        )
        self.spread: Spread | None = None  # all tokens of a step are here

    @property
    def causality(self) -> Causality:
        """What a token's assignments depend on when scoring, drops included."""
        return self._with_drops(self.router.causality)

    @property
    def training_causality(self) -> Causality:
        """What a token's assignments depend on in training, drops included."""
        own = self.router.training_causality
        return self.causality if own is None else self._with_drops(own)

    def forward(self, x_BSD: Tensor, token_id_BS: Tensor) -> LayerOutput:
        """Mix the experts of each token; the gate computes in its own type, not in autocast."""
        x_TD = x_BSD.flatten(0, 1)
        with torch.autocast(x_TD.device.type, enabled=False):
            logits_TG = self.gate(x_TD.to(self.gate.dtype))
        choice = self._choose(logits_TG, token_id_BS)
        y_TD = self.dispatch(x_TD, choice.slotted, self.experts)
        if self.shared is not None:
            y_TD = y_TD + self.shared(x_TD, 0)
        return LayerOutput(
            y_BSD=y_TD.view_as(x_BSD),
            balance_loss=choice.requested.balance_loss,
            z_loss=self._z_loss(logits_TG),
            logits_TE=logits_TG[:, : self.router.num_experts],
            choice=choice,
        )

    def _choose(self, logits_TG: Tensor, token_id_BS: Tensor) -> Choice:
        if self.spread is None or not self.training:
            return self.slots.choose(self.router, logits_TG, token_id_BS)
        return self.spread.choose(self.slots, self.router, logits_TG, token_id_BS)

    def _with_drops(self, own: Causality) -> Causality:
        return self.slots.causality(causality(own, self.slots.drop_policy))

    def _z_loss(self, logits_TG: Tensor) -> Tensor:
        if not self.router.learned:
            return logits_TG.new_zeros(())
        return z_loss(logits_TG[:, : self.router.num_choices])


class DenseLayer(nn.Module):
    """One expert that every token visits, as wide as ``num_experts`` of the MoE's."""

    def __init__(self, dim: int, hidden: int):
        super().__init__()
        self.experts = Experts(1, dim, hidden)

    def forward(self, x_BSD: Tensor, token_id_BS: Tensor) -> LayerOutput:
        """Apply the network to each token."""
        zero = x_BSD.new_zeros(())
        return LayerOutput(y_BSD=self.experts(x_BSD, 0), balance_loss=zero, z_loss=zero)


def build_layer(spec: RunSpec, token_count_V: Tensor) -> MoELayer | DenseLayer:
    """The feed-forward layer that a run asks for: a mixture, or one of the dense baselines."""
    if not spec.is_baseline:
        return MoELayer(spec, token_count_V)
    model = spec.model
    num_experts = {"dense": model.top_k, "dense_total": model.num_experts}[spec.router]
    assert spec.router in BASELINES
    return DenseLayer(model.dim, num_experts * model.ffn_mult * model.dim)
