"""Intervals and differences, each with the method that keeps its promise at the sample's size.

Shapes: A arms (or pairs of them), S seeds, R rounds, D draws. Everything works along the last axis.
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


class Difference(NamedTuple):
    """Means of paired differences, their intervals, and p-values against no difference."""

    mean: Array
    low: Array
    high: Array
    p_value: Array


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
    half = stats.t.ppf((1 + CONFIDENCE) / 2, S - 1) * _standard_error(x_AS)
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


def paired_difference(a_AS: Array, b_AS: Array) -> Difference:
    """Differences a - b of arms that ran with the same seeds, by Student's t.

    Arms share data order and initial values seed by seed (common random numbers), so the seeds'
    own differences cancel. From one seed there is neither interval nor p-value.
    """
    assert a_AS.shape == b_AS.shape
    gap_AS = a_AS - b_AS
    return Difference(gap_AS.mean(axis=-1), *mean_interval(gap_AS), _p_value(gap_AS))


def mean_draws(x_AS: Array, rng: np.random.Generator, num_draws: int) -> Array:
    """Draws (A, D) of what the arms' true means may be, given their seeds; NaN from one seed.

    The multivariate t posterior of the mean under a flat prior: each draw weights the residuals of
    all arms with one normal number per seed, so that what a seed did to all arms stays common to
    them. Every arm's draws have its t interval as their interval, and so has every difference.
    """
    A, S = x_AS.shape
    if S < 2:
        return np.full((A, num_draws), np.nan)
    mean_A1 = x_AS.mean(axis=1, keepdims=True)
    normal_SD = rng.standard_normal((S, num_draws))
    scale_D = np.sqrt((S - 1) / rng.chisquare(S - 1, num_draws)) / np.sqrt(S * (S - 1))
    draws: Array = mean_A1 + (x_AS - mean_A1) @ normal_SD * scale_D
    return draws


def _standard_error(x_AS: Array) -> Array:
    error: Array = x_AS.std(axis=-1, ddof=1) / np.sqrt(x_AS.shape[-1])
    return error


def _p_value(gap_AS: Array) -> Array:
    """Two-sided p-value of no difference; the same difference at every seed is none or certain."""
    mean, S = gap_AS.mean(axis=-1), gap_AS.shape[-1]
    if S < 2:
        return np.full_like(mean, np.nan)
    error = _standard_error(gap_AS)
    t = np.divide(np.abs(mean), error, out=np.where(mean == 0, 0.0, np.inf), where=error > 0)
    p_value: Array = 2 * stats.t.sf(t, S - 1)
    return p_value
