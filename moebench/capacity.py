"""Capacity: what happens to assignments that an expert has no slot for.

Shapes as in ``moebench.routers.base``: M assignments requested.
"""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from moebench.routers.base import Causality, Routing


def give_slots(routing: Routing, capacity: int, policy: str, seq_len: int) -> Routing:
    """Mark at most ``capacity`` assignments per expert as having a slot, by one of POLICIES.

    Tokens are numbered sequence by sequence, ``seq_len`` to each. All assignments stay listed, in
    the order in which they were requested, so that a GPU need not tell how many have a slot.
    """
    order, _ = POLICIES[policy]
    if order is None:
        return routing
    M = routing.expert_N.numel()
    # The slot an assignment would take at its expert: its rank among those of the same expert.
    first_M = order(routing, seq_len)
    order_M = first_M[routing.expert_N[first_M].argsort(stable=True)]
    load_E = routing.load_E()
    start_E = load_E.cumsum(0) - load_E
    expert_M = routing.expert_N[order_M]
    slot_M = torch.empty_like(order_M)
    slot_M[order_M] = torch.arange(M, device=order_M.device) - start_E[expert_M]
    return replace(routing, has_slot_N=slot_M < capacity)


def drop_over_capacity(routing: Routing, capacity: int, policy: str, seq_len: int) -> Routing:
    """Keep only the assignments that ``give_slots`` gives one."""
    return give_slots(routing, capacity, policy, seq_len).served()


def causality(router: Causality, policy: str) -> Causality:
    """What assignments depend on once the drop policy has had its say."""
    return max(router, POLICIES[policy][1])


def _by_position(routing: Routing, seq_len: int) -> Tensor:
    """Earlier positions first, of all sequences alike, so that no sequence bears all the drops."""
    return (routing.token_N % seq_len).argsort(stable=True)


def _by_gate(routing: Routing, seq_len: int) -> Tensor:
    """Larger weights first, earlier positions among equals.

    A later token with a larger weight pushes out an earlier one: this leaks the future.
    """
    position_M = _by_position(routing, seq_len)
    weight_M = routing.weight_N.detach()[position_M]
    return position_M[weight_M.argsort(descending=True, stable=True)]


# Order in which assignments are served, and what a token then may depend on.
POLICIES: dict[str, tuple[Callable[[Routing, int], Tensor] | None, Causality]] = {
    "position": (_by_position, Causality.BATCH_COUPLED),
    "gate": (_by_gate, Causality.NON_CAUSAL),
    "none": (None, Causality.TOKEN_LOCAL),
}
