"""Routing traces that no model made: four windows of eight tokens, four experts, two choices."""

import numpy as np

from moebench.traces import Trace, Traces

W, S, E, K = 4, 8, 4, 2


def trace(
    seed=0, state="trained", layer=0, router="softk", experts_TK=None, num_experts=E, pool=2
) -> Trace:
    """A trace of random choices, or of those given; every fourth assignment is dropped."""
    rng = np.random.default_rng([seed, layer, state == "trained"])
    if experts_TK is None:
        experts_TK = rng.random((W * S, num_experts)).argsort(axis=1)[:, :K]
    experts_TK = np.asarray(experts_TK)
    num_tokens, top_k = experts_TK.shape
    weight_TK = -np.sort(-rng.dirichlet(np.ones(top_k), num_tokens), axis=1)
    return Trace(
        router=router,
        seed=seed,
        state=state,
        layer=layer,
        num_experts=num_experts,
        top_k=top_k,
        capacity_factor=1.0,
        drop_policy="position",
        pool=pool,
        num_tied=0,
        token_M=np.repeat(np.arange(num_tokens), top_k).astype(np.uint32),
        expert_M=experts_TK.reshape(-1).astype(np.uint16),
        weight_M=weight_TK.reshape(-1).astype(np.float32),
        is_kept_M=np.arange(num_tokens * top_k) % 4 != 3,
    )


def traces(**changes) -> Traces:
    """Traces of two seeds and two layers, untrained and trained."""
    found = [
        trace(seed=seed, state=state, layer=layer)
        for seed in (0, 1)
        for state in ("untrained", "trained")
        for layer in (0, 1)
    ]
    ids = np.random.default_rng(0).integers(5, size=(W, S)).astype(np.uint32)
    return Traces(**{"experiment": "x", "token_id_WS": ids, "traces": found} | changes)
