"""The frontier: arms that no other arm beats in both quality and speed.

Shapes: A arms, D draws. Of quality, a loss, less is better; of speed more. An arm that may not be
ranked (``certificates.gate``) is neither on the frontier nor does it push another arm off it.
"""

import moocore
import numpy as np
from numpy.typing import NDArray

from moebench.analysis.statistics import Array


def on_frontier(nll_A: Array, speed_A: Array, is_ranked_A: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether each arm is ranked and not dominated by a ranked one; equal arms stay together."""
    on_A = np.zeros(len(nll_A), dtype=bool)
    on_A[is_ranked_A] = _nondominated(nll_A[is_ranked_A], speed_A[is_ranked_A])
    return on_A


def p_on_frontier(nll_AD: Array, speed_AD: Array, is_ranked_A: NDArray[np.bool_]) -> Array:
    """Share of draws in which each ranked arm is on the frontier; NaN for the others.

    A draw holds all arms at once, so what is common to arms must be common in the draws. NaN for
    every arm where quality or speed has no draws, from one seed or too few rounds.
    """
    p_A = np.full(len(nll_AD), np.nan)
    if np.isnan(nll_AD).any() or np.isnan(speed_AD).any():
        return p_A
    nll_DA, speed_DA = nll_AD[is_ranked_A].T, speed_AD[is_ranked_A].T
    on_DA = [_nondominated(nll, speed) for nll, speed in zip(nll_DA, speed_DA, strict=True)]
    p_A[is_ranked_A] = np.mean(on_DA, axis=0)
    return p_A


def _nondominated(nll_A: Array, speed_A: Array) -> NDArray[np.bool_]:
    points = np.column_stack([nll_A, speed_A])
    if not len(points):
        return np.zeros(0, dtype=bool)
    on_A: NDArray[np.bool_] = moocore.is_nondominated(
        points, maximise=[False, True], keep_weakly=True
    )
    return on_A
