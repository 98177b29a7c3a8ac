"""Prefix invariance: replace part of what a router could look at, and see whether routes change.

Shapes: B sequences of S tokens, T = B * S, D width, E experts, V entries of the vocabulary.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from moebench.lm.model import LanguageModel
from moebench.moe import LayerOutput, MoELayer

# Where the first sequence is watched, and what is replaced meanwhile: by name of the probe.
FUTURE, MATES, PAST = "future", "mates", "past"


@dataclass(frozen=True, kw_only=True)
class Change:
    """What became of the tokens that were watched, as the largest over all trials."""

    output: float = 0.0  # largest change of an output, in units of the largest output
    routes: float = 0.0  # share of tokens whose experts changed

    def or_more(self, other: "Change") -> "Change":
        """The larger of two changes."""
        return Change(output=max(self.output, other.output), routes=max(self.routes, other.routes))


@torch.no_grad()
def probe_layer(
    layer: MoELayer, *, num_sequences: int, seq_len: int, num_trials: int, vocab_size: int
) -> dict[str, Change]:
    """Changes in a scoring layer, in double precision, from tokens drawn from a normal law.

    A layer has no attention, so a token's output depends on others through their routing alone:
    on later ones of its sequence (``future``), on other sequences (``mates``), on earlier ones of
    its own (``past``).
    """
    layer.double().eval()
    B, S, cut = num_sequences, seq_len, seq_len // 2
    found = dict.fromkeys((FUTURE, MATES, PAST), Change())
    for _ in range(num_trials):
        x_BSD, ids_BS = _inputs(B, S, layer.gate.dim, vocab_size)
        other_BSD, other_BS = _inputs(B, S, layer.gate.dim, vocab_size)
        before = layer(x_BSD, ids_BS)
        for name, replaced, watched in parts(cut, S):
            after = layer(_swap(x_BSD, other_BSD, replaced), _swap(ids_BS, other_BS, replaced))
            change = Change(
                output=_relative(before.y_BSD, after.y_BSD, watched),
                routes=_rerouted(before, after, S, watched),
            )
            found[name] = found[name].or_more(change)
    return found


@torch.no_grad()
def probe_model(model: LanguageModel, *, num_trials: int, vocab_size: int) -> dict[str, Change]:
    """Changes of a scoring model's logits, in double precision, from tokens drawn uniformly.

    Attention makes every logit depend on the past, so ``past`` is not asked here.
    """
    model.double().eval()
    training = model.spec.training
    B, S = training.batch_size, training.seq_len
    found = dict.fromkeys((FUTURE, MATES), Change())
    for _ in range(num_trials):
        ids_BS, other_BS = (torch.randint(vocab_size, (B, S)) for _ in range(2))
        before = model(ids_BS)
        for name, replaced, watched in parts(S // 2, S):
            if name == PAST:
                continue
            after = model(_swap(ids_BS, other_BS, replaced))
            routes = [
                _rerouted(old, new, S, watched)
                for old, new in zip(before.layers, after.layers, strict=True)
            ]
            output = _relative(before.logits_BSV, after.logits_BSV, watched)
            found[name] = found[name].or_more(Change(output=output, routes=max(routes)))
    return found


def parts(cut: int, seq_len: int) -> list[tuple[str, Any, slice]]:
    """Name of a probe, the part of a batch it replaces, the tokens of the first sequence to watch.

    The other sequences stay when the future is replaced: what they change is no leak of it.
    """
    return [
        (FUTURE, (slice(0, 1), slice(cut, None)), slice(0, cut)),
        (MATES, (slice(1, None), slice(None)), slice(0, seq_len)),
        (PAST, (slice(0, 1), slice(0, cut)), slice(cut, None)),
    ]


def _inputs(B: int, S: int, D: int, V: int) -> tuple[Tensor, Tensor]:
    return torch.randn(B, S, D, dtype=torch.float64), torch.randint(V, (B, S))


def _swap(x_BS: Tensor, other_BS: Tensor, replaced: Any) -> Tensor:
    changed_BS = x_BS.clone()
    changed_BS[replaced] = other_BS[replaced]
    return changed_BS


def _relative(before_BS: Tensor, after_BS: Tensor, watched: slice) -> float:
    largest = before_BS.abs().max()
    return float((before_BS - after_BS)[0, watched].abs().max() / largest)


def _rerouted(before: LayerOutput, after: LayerOutput, seq_len: int, watched: slice) -> float:
    """Share of watched tokens whose experts differ."""
    differs_T = (_experts(before) != _experts(after)).any(dim=1)
    return float(differs_T[:seq_len][watched].double().mean())


def _experts(out: LayerOutput) -> Tensor:
    """Which expert serves which token, bool (T, E)."""
    kept = out.kept
    assert kept is not None
    is_served_TE = torch.zeros(kept.num_tokens, kept.num_experts, dtype=torch.bool)
    return is_served_TE.index_put((kept.token_N, kept.expert_N), torch.tensor(True))
