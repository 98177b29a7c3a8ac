"""What lies behind the points of the frontier: the surfaces that draws of the arms attain."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

Array = NDArray[np.float64]

BAND = "#e3e3e3"
MEDIAN: Any = {"color": "#bdbdbd", "lw": 3.2, "solid_joinstyle": "miter"}


def draw(axes: Axes, attainment: pd.DataFrame) -> None:
    """Shade between the outermost surfaces and draw the median, within the axes as they are."""
    if attainment.empty:
        return
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    beyond = top + (top - bottom)
    speed_N = np.unique([left, right, *attainment["train_tokens_per_s"].clip(left, right)])
    surely, median, hardly = (
        np.minimum(edge(attainment, level, speed_N), beyond)
        for level in reversed(levels(attainment))
    )
    axes.fill_between(
        speed_N, hardly, surely, step="pre", color=BAND, lw=0, zorder=0, gid="attained"
    )
    axes.step(speed_N, median, where="pre", zorder=0.8, gid="median", **MEDIAN)


def levels(attainment: pd.DataFrame) -> list[float]:
    """Shares of the draws, the surface that hardly any draw attains first."""
    return sorted(attainment["attained_in"].unique())


def edge(attainment: pd.DataFrame, level: float, speed_N: Array) -> Array:
    """Perplexity that a share of the draws attains at a speed or faster; infinite if at none."""
    corners = attainment[attainment["attained_in"] == level].sort_values("train_tokens_per_s")
    ppl_N = np.append(np.exp(corners["val_nll_causal_nats"].to_numpy(dtype=float)), np.inf)
    found: Array = ppl_N[np.searchsorted(corners["train_tokens_per_s"].to_numpy(), speed_N)]
    return found


def handles(attainment: pd.DataFrame) -> list[Any]:
    """Legend entries."""
    if attainment.empty:
        return []
    low, _, high = levels(attainment)
    return [
        Line2D([], [], label="median frontier of the draws", **MEDIAN),
        Patch(color=BAND, label=f"{high - low:.0%} of the draws' frontiers"),
    ]


def note(attainment: pd.DataFrame) -> list[str]:
    """What the shading says."""
    if attainment.empty:
        return []
    low, _, high = levels(attainment)
    return [
        f"Shaded: what more than {low:.0%} and fewer than {high:.0%} of the draws from seeds and "
        "rounds attain; what a seed does to all arms alike is left out of it."
    ]
