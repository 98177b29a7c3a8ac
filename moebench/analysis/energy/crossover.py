"""Crossover: the size from which on a mixture does better than a dense network, and how surely.

Shapes: B blocks, S sizes. A gain is the logarithm of a ratio, positive where the mixture is better;
it is taken within a block, so what is common to a block (a board, a process, a warm room) is gone.
Between neighbouring sizes the gain is taken to be straight in the logarithm of the size.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from moebench.analysis.statistics import CONFIDENCE, Array

WITHIN = "within"  # there is one, and both ends of its interval lie among the sizes
NOT_BELOW = "not below"  # the interval has a lower end only
NOT_ABOVE = "not above"  # the interval has an upper end only
NONE = "none"  # the dense network is better at the largest size
THROUGHOUT = "throughout"  # the mixture is better at every size
TIE = "tie"  # at no size can the two be told apart
UNDECIDED = "undecided"  # told apart somewhere, but no end of an interval lies among the sizes
UNREPLICATED = "unreplicated"  # fewer than two blocks: no interval
VERDICTS = [WITHIN, NOT_BELOW, NOT_ABOVE, NONE, THROUGHOUT, TIE, UNDECIDED, UNREPLICATED]


@dataclass(frozen=True)
class Crossover:
    """A size in parameters with its 95 % interval; NaN where it is not among the sizes."""

    num_params: float
    low: float
    high: float
    verdict: str


def cross_over(num_params_S: Array, gain_BS: Array) -> Crossover:
    """Find the crossover of gains, whose sizes ascend; NaN stands for a missing gain.

    The interval holds every size at which Student's t test over blocks cannot tell the gain from
    zero (Fieller's set, as one stretch). It keeps its promise from two blocks on, which resampling
    blocks does not: a percentile bootstrap of five of them covers five times in six.
    """
    assert gain_BS.shape[1] == len(num_params_S) >= 2, "a crossover needs two sizes"
    assert (np.diff(num_params_S) > 0).all(), "sizes must ascend"
    x_S = np.log(num_params_S)
    gain_S = np.nanmean(gain_BS, axis=0)
    point = _within(float(np.exp(crossing(x_S, gain_S))), num_params_S)
    if np.isfinite(gain_BS).all(axis=1).sum() < 2:
        return Crossover(point, np.nan, np.nan, UNREPLICATED)
    open_S1 = [_undecided(gain_S, gain_BS, s) for s in range(len(x_S) - 1)]
    ends = [(x_S[s] + np.diff(x_S)[s] * np.array(part)) for s, part in enumerate(open_S1) if part]
    reach = np.concatenate(ends) if ends else np.empty(0)
    return _verdict(num_params_S, gain_S, gain_BS, (point, reach))


def crossing(x_S: Array, gain_S: Array) -> Array:
    """Where the gain becomes positive for good: -inf before the first x, inf after the last.

    Several rows of gains (..., S) give several crossings.
    """
    is_behind = gain_S <= 0
    last = x_S.shape[-1] - 1 - np.argmax(is_behind[..., ::-1], axis=-1)
    s = np.minimum(last, x_S.shape[-1] - 2)
    here = np.take_along_axis(gain_S, s[..., None], axis=-1)[..., 0]
    there = np.take_along_axis(gain_S, s[..., None] + 1, axis=-1)[..., 0]
    share = here / np.where(here == there, 1.0, here - there)
    at = np.where(is_behind.any(axis=-1), x_S[s] + share * (x_S[s + 1] - x_S[s]), -np.inf)
    found: Array = np.where(is_behind[..., -1], np.inf, at)
    return found


def is_zero_possible(gain_B: Array) -> bool:
    """Whether Student's t test over blocks leaves it open that the mean gain is zero."""
    known = gain_B[np.isfinite(gain_B)]
    half = _quantile(len(known)) * known.std(ddof=1) / np.sqrt(len(known))
    return bool(abs(known.mean()) <= half)


def _undecided(gain_S: Array, gain_BS: Array, s: int) -> tuple[float, ...]:
    """The stretch between sizes s and s+1, in shares of the way, where the gain may be zero.

    On the way w the mean is a straight line and its variance a parabola, so the ends are roots.
    """
    both_B2 = gain_BS[np.isfinite(gain_BS[:, s : s + 2]).all(axis=1), s : s + 2]
    if len(both_B2) < 2:
        return (0.0, 1.0)
    (a, ab), (_, b) = np.cov(both_B2.T)
    k = _quantile(len(both_B2)) ** 2 / len(both_B2)
    here, step = gain_S[s], gain_S[s + 1] - gain_S[s]
    parabola = np.array(
        [
            step**2 - k * (a - 2 * ab + b),
            2 * here * step - 2 * k * (ab - a),
            here**2 - k * a,
        ]
    )
    roots = np.roots(parabola)
    inside = np.sort(roots[np.isreal(roots)].real)
    marks = np.array([0.0, *inside[(inside > 0) & (inside < 1)], 1.0])
    is_open: NDArray[np.bool_] = np.polyval(parabola, (marks[1:] + marks[:-1]) / 2) <= 0
    # The mean's own zero always belongs to the set, which without any spread is nothing else.
    zero = [here / -step] if here * (here + step) < 0 else []
    found = [*marks[:-1][is_open], *marks[1:][is_open], *zero]
    return (float(min(found)), float(max(found))) if found else ()


def _verdict(
    num_params_S: Array, gain_S: Array, gain_BS: Array, found: tuple[float, Array]
) -> Crossover:
    point, reach = found
    if len(reach) == 0 or (gain_S[-1] < 0 and np.exp(reach.max()) < num_params_S[-1]):
        return Crossover(np.nan, np.nan, np.nan, NONE if gain_S[-1] < 0 else THROUGHOUT)
    # Nothing measured says from where on, if the mixture is nowhere behind in the mean.
    low = _within(np.exp(reach.min()), num_params_S) if (gain_S <= 0).any() else np.nan
    high = _within(np.exp(reach.max()), num_params_S)
    if np.isfinite(low) and np.isfinite(high):
        return Crossover(point, low, high, WITHIN)
    if np.isfinite(low) or np.isfinite(high):
        return Crossover(point, low, high, NOT_BELOW if np.isfinite(low) else NOT_ABOVE)
    is_tie = all(is_zero_possible(gain_B) for gain_B in gain_BS.T)
    return Crossover(point, low, high, TIE if is_tie else UNDECIDED)


def _within(num_params: float, num_params_S: Array) -> float:
    """The size, or NaN where it is not strictly among the sizes."""
    tiny = 1e-9
    inside = num_params_S[0] * (1 + tiny) < num_params < num_params_S[-1] * (1 - tiny)
    return float(num_params) if inside else np.nan


def _quantile(num_blocks: int) -> float:
    return float(stats.t.ppf((1 + CONFIDENCE) / 2, num_blocks - 1))
