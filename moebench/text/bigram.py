"""Unigram and bigram models with Witten-Bell smoothing: what a network must beat to have learnt.

Shapes: V entries of the vocabulary, N tokens, P distinct pairs of neighbours.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from moebench.tokenizers.base import TokenIds

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Bigram:
    """Interpolated Witten-Bell (Witten and Bell, IEEE Trans. Inf. Theory 37(4), 1991, method C).

    With c a count, T(h) the number of different tokens seen after h, N and T those of the text::

        p(w)     = (c(w)    + T    / V)    / (N    + T)
        p(w | h) = (c(h, w) + T(h) * p(w)) / (c(h) + T(h)),  and p(w) where h was never seen
    """

    prob_V: Floats
    pair_P: Ints  # h * V + w, sorted
    count_P: Ints
    history_count_V: Ints
    num_followers_V: Ints

    def prob(self, history_N: TokenIds | Ints, next_N: TokenIds | Ints) -> Floats:
        """p(next | history), for each pair."""
        vocab_size = len(self.prob_V)
        key_N = history_N.astype(np.int64) * vocab_size + next_N
        place_N = np.searchsorted(self.pair_P, key_N).clip(max=len(self.pair_P) - 1)
        count_N = np.where(self.pair_P[place_N] == key_N, self.count_P[place_N], 0)
        followers_N = self.num_followers_V[history_N]
        seen_N = self.history_count_V[history_N] + followers_N
        prob_N = self.prob_V[next_N]
        # max(1): where the history was never seen the numerator is 0 too, and p(w) is taken.
        smoothed_N = (count_N + followers_N * prob_N) / np.maximum(seen_N, 1)
        return np.where(seen_N > 0, smoothed_N, prob_N)


def fit(token_N: TokenIds, vocab_size: int, start: int) -> Bigram:
    """Count a training text; ``start`` is what stands before its first token."""
    assert len(token_N) > 0, "check_windows() refuses such a text"
    count_V = np.bincount(token_N, minlength=vocab_size)
    num_types = np.count_nonzero(count_V)
    key_N = _histories(token_N, start).astype(np.int64) * vocab_size + token_N
    pair_P, count_P = np.unique(key_N, return_counts=True)
    history_P = pair_P // vocab_size
    return Bigram(
        prob_V=(count_V + num_types / vocab_size) / (len(token_N) + num_types),
        pair_P=pair_P,
        count_P=count_P,
        history_count_V=np.bincount(_histories(token_N, start), minlength=vocab_size),
        num_followers_V=np.bincount(history_P, minlength=vocab_size),
    )


def reference_scores(
    train_N: TokenIds, validation_N: TokenIds, vocab_size: int, start: int
) -> dict[str, float]:
    """Scores of both models on every held-out token, each with the token before it as history."""
    model = fit(train_N, vocab_size, start)
    unigram_nll_nats = -np.log(model.prob_V[validation_N]).mean()
    bigram_prob_N = model.prob(_histories(validation_N, start), validation_N)
    bigram_nll_nats = -np.log(bigram_prob_N).mean()
    return {
        "unigram_val_nll_nats": float(unigram_nll_nats),
        "bigram_val_nll_nats": float(bigram_nll_nats),
        "bigram_val_ppl": float(np.exp(bigram_nll_nats)),
    }


def _histories(token_N: TokenIds, start: int) -> TokenIds:
    """The token before each token."""
    return np.concatenate([np.array([start], token_N.dtype), token_N[:-1]])
