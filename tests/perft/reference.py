"""A block with adapters, written out: one token, one expert, one adapter at a time."""

import torch
from torch.nn.functional import silu


def block(layer, adapter, h_TD):
    """y of every token, by the definitions; adapters are cut out of their stacked matrices."""
    return torch.stack([_token(layer.mlp, adapter, h_D) for h_D in h_TD])


def _token(moe, adapter, h_D):
    prob_E = (moe.gate.weight @ h_D).softmax(dim=0)
    best = prob_E.argsort(descending=True)[: moe.gate.top_k].tolist()
    y_D = sum(prob_E[e] * _expert(moe.experts, e, h_D) for e in best)
    return y_D + ADDED[adapter.spec.variant](adapter, h_D, prob_E, best)


def _expert(experts, index, h_D):
    gate, up = experts.gate_up_proj[index].chunk(2)
    return experts.down_proj[index] @ (silu(gate @ h_D) * (up @ h_D))


def delta(adapter, index, h_D):
    """What one adapter answers."""
    rank = adapter.spec.rank
    own = slice(index * rank, (index + 1) * rank)
    inner_r = adapter.down[own] @ h_D
    if adapter.spec.inner == "parallel":
        return adapter.up[:, own] @ silu(inner_r)
    alpha = 2 * rank if adapter.spec.alpha is None else adapter.spec.alpha
    return alpha / rank * (adapter.up[:, own] @ inner_r)


def _routed(adapter, h_D, prob_E, best):
    prob_N = (adapter.router @ h_D).softmax(dim=0)
    chosen = prob_N.argsort(descending=True)[: adapter.spec.options["top_k"]].tolist()
    is_legacy = adapter.spec.options.get("legacy_weighting", False)
    weights = [prob_E[e] for e in best] if is_legacy else [prob_N[j] for j in chosen]
    return sum(weight * delta(adapter, j, h_D) for j, weight in zip(chosen, weights, strict=False))


ADDED = {
    "single": lambda adapter, h_D, prob_E, best: delta(adapter, 0, h_D),
    "dense": lambda adapter, h_D, prob_E, best: sum(
        delta(adapter, j, h_D) for j in range(adapter.spec.options["num_adapters"])
    ),
    "embedded": lambda adapter, h_D, prob_E, best: sum(
        prob_E[e] * delta(adapter, e, h_D) for e in best
    ),
    "routed": _routed,
}
