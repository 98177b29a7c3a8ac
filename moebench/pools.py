"""Pools: among which tokens a router chooses, and among which a full expert drops.

Shapes as in ``moebench.routers.base``: a batch has B sequences of S tokens; what is chosen for a
sequence alone has slots of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from moebench.capacity import give_slots
from moebench.routers.base import Causality, Router, Routing, expert_capacity

WITHIN_A_SEQUENCE = {Causality.BATCH_COUPLED: Causality.PREFIX_CAUSAL}


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What a router asked for, and what capacity left of it."""

    requested: Routing
    slotted: Routing  # the same assignments, with word of who has a slot

    @cached_property
    def kept(self) -> Routing:
        """The assignments that have a slot, alone."""
        return self.slotted.served()


@dataclass(frozen=True, kw_only=True)
class Slots:
    """How many assignments an expert serves, whom it drops, and in which pool."""

    capacity_factor: float
    drop_policy: str
    pool: str

    def choose(self, router: Router, logits_TG: Tensor, token_id_BS: Tensor) -> Choice:
        """Assignments of a batch, which is one pool, or of each of its sequences."""
        if self.pool == "batch":
            return self._of_batch(router, logits_TG, token_id_BS)
        return self._of_sequences(router, logits_TG, token_id_BS)

    def causality(self, causality: Causality) -> Causality:
        """What assignments depend on, given what they would in a pool of several sequences."""
        return causality if self.pool == "batch" else WITHIN_A_SEQUENCE.get(causality, causality)

    def capacity(self, router: Router, num_tokens: int) -> int:
        """Slots of an expert in a pool of ``num_tokens``."""
        return expert_capacity(num_tokens, router.num_experts, router.top_k, self.capacity_factor)

    def _of_batch(self, router: Router, logits_TG: Tensor, token_id_BS: Tensor) -> Choice:
        capacity = self.capacity(router, len(logits_TG))
        requested = router(logits_TG, token_id_BS, capacity)
        seq_len = token_id_BS.shape[1]
        slotted = give_slots(requested, capacity, self.drop_policy, seq_len)
        return Choice(requested=requested, slotted=slotted)

    def _of_sequences(self, router: Router, logits_TG: Tensor, token_id_BS: Tensor) -> Choice:
        B, S = token_id_BS.shape
        capacity = self.capacity(router, S)
        if router.is_token_local:  # then it is the same whoever else is there
            requested = router(logits_TG, token_id_BS, capacity)
        else:
            parts = zip(logits_TG.split(S), token_id_BS, strict=True)
            requested = joined(
                [router(logits_SG, ids_S[None], capacity) for logits_SG, ids_S in parts]
            )
        # An expert of one sequence and the same expert of another are two, each with its slots.
        E = requested.num_experts
        sequence_M = requested.token_N // S
        apart = replace(requested, expert_N=requested.expert_N + sequence_M * E, num_experts=B * E)
        slotted = give_slots(apart, capacity, self.drop_policy, S)
        slotted = replace(slotted, expert_N=requested.expert_N, num_experts=E)
        return Choice(requested=requested, slotted=slotted)


def joined(parts: Sequence[Routing]) -> Routing:
    """One routing of pools whose tokens follow each other; the balance loss is their mean."""
    num_tokens = [part.num_tokens for part in parts]
    first = [sum(num_tokens[:place]) for place in range(len(parts))]
    return Routing(
        token_N=torch.cat([part.token_N + start for part, start in zip(parts, first, strict=True)]),
        expert_N=torch.cat([part.expert_N for part in parts]),
        weight_N=torch.cat([part.weight_N for part in parts]),
        num_tokens=sum(num_tokens),
        num_experts=parts[0].num_experts,
        num_requested=sum(part.num_requested for part in parts),
        balance_loss=torch.stack([part.balance_loss for part in parts]).mean(),
    )
