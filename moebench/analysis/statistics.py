"""Intervals, each with the method that keeps its promise at the sample's size.

Shapes: A arms, S seeds, R rounds, D draws. Everything works along the last axis.
Where a sample is too small for any interval, its ends are NaN, which is null in a table; never a
width of zero.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[np.float64]

CONFIDENCE = 0.95
SIGNIFICANCE = 0.05
# Between the extremes of R readings the true median lies with probability 1 - 2 * 0.5**R, which
# reaches 95 % at six: from fewer, no interval that assumes nothing else can.
FEWEST_ROUNDS = 6


class Interval(NamedTuple):
    """A 95 % confidence interval, or an array of them."""

    low: Array
    high: Array


def mean_interval(x_AS: Array) -> Interval:
    """Student's t interval of the mean over seeds.

    Not a bootstrap: three seeds have ten distinct resamples, so a percentile bootstrap of them
    covers the mean three times in four, not nineteen in twenty. The t interval assumes that the
    seeds' values are normal, and covers as promised from two seeds on.
    """
    S = x_AS.shape[-1]
    if S < 2:
        nothing = np.full(x_AS.shape[:-1], np.nan)
        return Interval(nothing, nothing)
    mean = x_AS.mean(axis=-1)
    half = stats.t.ppf((1 + CONFIDENCE) / 2, S - 1) * x_AS.std(axis=-1, ddof=1) / np.sqrt(S)
    return Interval(mean - half, mean + half)


def median_draws(x_AR: Array, rng: np.random.Generator, num_draws: int) -> Array:
    """Bootstrap draws (A, D) of the medians over rounds, NaN from fewer than FEWEST_ROUNDS.

    A draw takes whole rounds, the same for every arm: a slow moment of the machine slowed all arms
    of its round, and stays common to them in every draw.
    """
    if x_AR.shape[-1] < FEWEST_ROUNDS:
        return np.full((*x_AR.shape[:-1], num_draws), np.nan)
    found = stats.bootstrap(
        (x_AR,), np.median, axis=-1, n_resamples=num_draws, method="percentile", rng=rng, batch=500
    )
    draws: Array = found.bootstrap_distribution
    return draws


def draws_interval(draws_AD: Array) -> Interval:
    """Percentile interval of bootstrap draws."""
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(draws_AD, [tail, 1 - tail], axis=-1)
    return Interval(low, high)
