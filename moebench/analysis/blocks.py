"""Randomised blocks: arms compared over seeds that all of them ran with.

A value is the mean of its arm, plus an effect of its seed that all arms share (common random
numbers: same data order, same initial values), plus a residual. What a seed does to all arms is no
difference between them. The scatter of the residuals is pooled over all arms of the experiment:
three seeds of one pair leave 2 degrees of freedom, from which hardly any gap is told from none;
three seeds of twelve arms leave 22.

The assumption: arms scatter alike around their seed. Holm's family-wise error of 5 % then holds;
where the sd of arms are spread over a factor of 2 it stays below 10 %, and below 14 % where every
arm of the family has twice the sd of all other arms. A single arm that scatters more (a dense
baseline, an arm near divergence) inflates the pooled sd: conservative for every pair of the other
arms, but too bold for the pairs of that arm itself, of which a quarter are called different at
three times the others' sd. A seed whose effect differs between arms counts as scatter.

Shapes: A arms, S seeds, P pairs, D draws. One arm or one seed leaves no degree of freedom, and
what then has no estimate is NaN.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from moebench.analysis.statistics import CONFIDENCE, Array


class Difference(NamedTuple):
    """Differences between arms, their 95 % intervals, and p-values against no difference."""

    mean: Array
    low: Array
    high: Array
    p_value: Array


class Scatter(NamedTuple):
    """Standard deviation of the residuals and its degrees of freedom."""

    sd: float
    dof: int


def block_scatter(x_AS: Array) -> Scatter:
    """Scatter of arms around their seed, pooled over all of them."""
    A, S = x_AS.shape
    dof = (A - 1) * (S - 1)
    if dof == 0:
        return Scatter(np.nan, 0)
    from_arm_AS = x_AS - x_AS.mean(axis=1, keepdims=True)
    residual_AS = from_arm_AS - from_arm_AS.mean(axis=0)
    return Scatter(float(np.sqrt((residual_AS**2).sum() / dof)), dof)


def block_differences(x_AS: Array, pairs: Sequence[tuple[int, int]]) -> Difference:
    """Differences (P) first minus second arm of each pair, by Student's t with pooled scatter."""
    a_P, b_P = np.array(pairs, dtype=np.intp).reshape(-1, 2).T
    mean_P = (x_AS[a_P] - x_AS[b_P]).mean(axis=1)
    sd, dof = block_scatter(x_AS)
    if dof == 0:
        nothing_P = np.full_like(mean_P, np.nan)
        return Difference(mean_P, nothing_P, nothing_P, nothing_P)
    error = sd * np.sqrt(2 / x_AS.shape[1])
    half = stats.t.ppf((1 + CONFIDENCE) / 2, dof) * error
    p_value_P = 2 * stats.t.sf(_ratio(np.abs(mean_P), error), dof)
    return Difference(mean_P, mean_P - half, mean_P + half, p_value_P)


def block_draws(x_AS: Array, rng: np.random.Generator, num_draws: int) -> Array:
    """Draws (A, D) of what the arms' true means may be, up to a shift common to all arms.

    The posterior of the block model under a flat prior, for comparing arms with one another: a
    draw has one scatter and one independent normal number per arm, and the difference of two arms'
    draws has their block interval. The seed effect moves no arm against another and is left out,
    so that the draws of one arm alone are narrower than the interval of its mean.
    """
    A, S = x_AS.shape
    sd, dof = block_scatter(x_AS)
    if dof == 0:
        return np.full((A, num_draws), np.nan)
    error_D = sd / np.sqrt(S) * np.sqrt(dof / rng.chisquare(dof, num_draws))
    draws: Array = x_AS.mean(axis=1, keepdims=True) + error_D * rng.standard_normal((A, num_draws))
    return draws


def _ratio(gap_P: Array, error: float) -> Array:
    """Gaps in standard errors; without any scatter a gap is none or certain."""
    if error == 0:
        return np.where(gap_P == 0, 0.0, np.inf)
    return gap_P / error
