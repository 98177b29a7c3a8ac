"""Would another text of the kind have told the same? Draws of seeds and of held-out documents.

Text comes in documents, and the tokens of one are alike, so documents are what may be drawn anew,
the same ones for every arm and seed: a hard one is hard for all of them. Each level is drawn in the
way that keeps its promise at its size. Seeds come from the block model. Documents are few, and a
few of them may hold most of the text, so they are not resampled either: a mean moves as far as it
does when one of them is left out (the jackknife), each way or the other, with the heavier tails of
Student's t for the number of documents that the text amounts to (a cluster-robust variance with the
effective number of clusters of Carter, Schnepel and Steigerwald 2017, doi:10.1162/REST_a_00639).

Shapes: A arms, S seeds, K documents, D draws, P pairs.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from moebench.analysis.blocks import block_draws
from moebench.analysis.statistics import Array, Interval, draws_interval

FEWEST_DOCUMENTS = 3  # that the text amounts to: fewer leave not even their scatter known
NUM_DRAWS = 4000


class Documents(NamedTuple):
    """Held-out documents: tokens of each, and each arm's NLL per token, mean over its seeds."""

    num_tokens_K: Array
    nll_AK: Array


def text_intervals(
    nll_AS: Array,
    documents: Documents | None,
    pairs: Sequence[tuple[int, int]],
    rng: np.random.Generator,
) -> Interval:
    """Intervals (P) of the NLL differences, first minus second, over other seeds and other text.

    ``documents`` is None where arms were not scored on the same ones. Ends are NaN then, where the
    text amounts to fewer than FEWEST_DOCUMENTS, and where the seeds leave no scatter to draw from.
    """
    a_P, b_P = np.array(pairs, dtype=np.intp).reshape(-1, 2).T
    if documents is None or effective_number(documents.num_tokens_K) < FEWEST_DOCUMENTS:
        nothing_P = np.full(len(a_P), np.nan)
        return Interval(nothing_P, nothing_P)
    draws_AD = block_draws(nll_AS, rng, NUM_DRAWS) + text_draws(documents, rng, NUM_DRAWS)
    return draws_interval(draws_AD[a_P] - draws_AD[b_P])


def effective_number(num_tokens_K: Array) -> float:
    """How many documents of equal length would weigh as these do: 1 over the sum of squares."""
    share_K = num_tokens_K / num_tokens_K.sum()
    return float(1 / (share_K**2).sum())


def text_draws(documents: Documents, rng: np.random.Generator, num_draws: int) -> Array:
    """How far each arm's mean moves (A, D) when the documents are drawn anew, alike for all arms.

    With documents of equal length the draws of an arm have Student's t distribution of the mean.
    """
    share_K = documents.num_tokens_K / documents.num_tokens_K.sum()
    K, dof = len(share_K), effective_number(documents.num_tokens_K) - 1
    from_mean_AK = documents.nll_AK - (documents.nll_AK @ share_K)[:, None]
    pull_AK = from_mean_AK * share_K / (1 - share_K)
    error_D = np.sqrt((K - 1) / K * dof / rng.chisquare(dof, num_draws))
    moved_AD: Array = error_D * (pull_AK @ rng.standard_normal((K, num_draws)))
    return moved_AD
