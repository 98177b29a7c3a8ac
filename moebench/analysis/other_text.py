"""Would another text of the kind have told the same? A bootstrap over seeds and held-out windows.

Seeds are few and windows many, so each level is drawn in the way that keeps its promise at its
size: seeds from the block model (three have ten distinct resamples, see
``moebench.analysis.statistics``), windows by resampling. Windows are drawn in runs, because
neighbours come from one document and are alike (circular block bootstrap; Politis and Romano 1992),
and the same ones for every arm and seed: a hard passage is hard for all of them.

Shapes: A arms, S seeds, W windows, D draws, P pairs.
"""

from collections.abc import Sequence

import numpy as np

from moebench.analysis.blocks import block_draws
from moebench.analysis.statistics import Array, Interval, draws_interval

FEWEST_WINDOWS = 20
NUM_DRAWS = 4000


def text_intervals(
    nll_AS: Array,
    window_nll_AW: Array | None,
    pairs: Sequence[tuple[int, int]],
    rng: np.random.Generator,
) -> Interval:
    """Intervals (P) of the NLL differences, first minus second, over other seeds and other text.

    ``window_nll_AW`` holds each arm's mean over its seeds of the NLL of every window, in the order
    of the text; None where arms were not scored on the same windows. Ends are NaN then, from fewer
    than FEWEST_WINDOWS windows, for an arm whose windows are NaN, and where the seeds leave no
    scatter to draw from.
    """
    a_P, b_P = np.array(pairs, dtype=np.intp).reshape(-1, 2).T
    if window_nll_AW is None or window_nll_AW.shape[1] < FEWEST_WINDOWS:
        nothing_P = np.full(len(a_P), np.nan)
        return Interval(nothing_P, nothing_P)
    draws_AD = block_draws(nll_AS, rng, NUM_DRAWS) + text_draws(window_nll_AW, rng, NUM_DRAWS)
    return draws_interval(draws_AD[a_P] - draws_AD[b_P])


def text_draws(window_nll_AW: Array, rng: np.random.Generator, num_draws: int) -> Array:
    """How far each arm's mean moves (A, D) when the text is drawn anew, the same for all arms."""
    W = window_nll_AW.shape[1]
    run = round(W ** (1 / 3))
    start_DR = rng.integers(W, size=(num_draws, -(-W // run)))
    window_DW = (start_DR[:, :, None] + np.arange(run)).reshape(num_draws, -1)[:, :W] % W
    count_DW = np.zeros((num_draws, W))
    np.add.at(count_DW, (np.arange(num_draws)[:, None], window_DW), 1)
    moved_AD: Array = (window_nll_AW - window_nll_AW.mean(axis=1, keepdims=True)) @ count_DW.T / W
    return moved_AD
