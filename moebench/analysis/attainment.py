"""Attainment surfaces: which quality at which speed is reached, and how surely.

A draw attains a point if some ranked arm in it is at least as good and as fast. The surface of
50 % is the edge of what half of the draws attain, the median frontier; between those of 5 % and
95 % lies what seeds and rounds leave open (Grunert da Fonseca, Fonseca and Hall 2001,
doi:10.1007/3-540-44719-9_15).

Shapes: A arms, D draws, X axes, N corners.
"""

import moocore
import numpy as np
import pandas as pd

from moebench import tables
from moebench.analysis.frontier_words import LEVELS
from moebench.analysis.schemas_frontier import ATTAINMENT
from moebench.analysis.statistics import Array
from moebench.analysis.summary import Arms

NUM_DRAWS = 2000  # the first ones; a surface has about as many corners as its draws have levels


def attainment(arms: Arms) -> pd.DataFrame:
    """Corners of each surface, from slow to fast; no line without draws or without ranked arms."""
    found: list[dict[str, float]] = []
    if arms.has_draws and arms.is_ranked_A.any():
        drawn = (each_AD[arms.is_ranked_A, :NUM_DRAWS] for each_AD in (arms.nll_AD, arms.speed_AD))
        nll_AD, speed_AD = drawn
        for level in LEVELS:
            corner_NX = surface(np.stack([nll_AD, -speed_AD], axis=-1), level)
            found += [
                {
                    "attained_in": level,
                    "train_tokens_per_s": -slowness,
                    "val_nll_causal_nats": nll,
                }
                for nll, slowness in corner_NX
            ]
    table = pd.DataFrame(found, columns=list(ATTAINMENT.columns))
    return tables.check(
        table.sort_values(["attained_in", "train_tokens_per_s"], ignore_index=True), ATTAINMENT
    )


def surface(x_ADX: Array, level: float) -> Array:
    """Corners (N, X) of what a share ``level`` of the draws attains, in two or three axes.

    Less is better on every axis.
    """
    A, D, X = x_ADX.shape
    points = x_ADX.transpose(1, 0, 2).reshape(D * A, X)
    found: Array = moocore.eaf(points, np.repeat(np.arange(D), A), percentiles=[100 * level])
    return found[:, :X]
