"""Crossovers of this machine, one below the other, each with its interval or its verdict."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from moebench.analysis.energy import boundaries
from moebench.figures import networks, style, ticks
from moebench.figures.against_size import frame
from moebench.figures.base import rows

MOST_ROWS = 14


def draw(axes: Axes, crossover: pd.DataFrame) -> None:
    """Draw the crossovers, or a frame that says why there are none."""
    axes.set_title("this machine", size=11)
    mine = shown(crossover).head(MOST_ROWS)
    if mine.empty:
        frame(axes, "no mixture was measured beside a dense network of equal parameters", 26)
        return
    axes.set(xscale="log", xlabel="crossover, in parameters")
    low, high = mine["smallest_params"].min(), mine["largest_params"].max()
    axes.set_xlim(low / 2.5, high * 2.5)
    for bound in (low, high):
        axes.axvline(bound, color="#9a9a9a", lw=0.8)
    for place, each in enumerate(rows(mine)):
        _row(axes, place, each)
    ticks.log(axes.xaxis, ticks.number)
    axes.set_yticks(range(len(mine)), [_name(each) for each in rows(mine)], size=9)
    axes.set_ylim(len(mine) - 0.4, -0.6)


def shown(crossover: pd.DataFrame) -> pd.DataFrame:
    """Crossovers with the dense network of equal parameters: energy first, batch by batch."""
    mine = crossover[crossover["baseline"] == "dense_total"]
    by = ["quantity", "boundary", "dtype", "batch_size", "kernel"]
    order = mine["kernel"].map({name: k for k, name in enumerate(networks.order(mine["kernel"]))})
    return mine.assign(kernel_order=order).sort_values([*by[:-1], "kernel_order"])


def _row(axes: Axes, place: int, each: Any) -> None:
    """A point with its interval; an arrow where an end lies beyond the sizes; else the verdict."""
    low, high = axes.get_xlim()
    if each.verdict in ("none", "throughout", "tie", "undecided") or (
        np.isnan(each.crossover_params) and each.verdict == "unreplicated"
    ):
        text = {
            "none": f"none below {networks.size(each.largest_params)}",
            "throughout": f"at every size from {networks.size(each.smallest_params)}",
        }.get(each.verdict, each.verdict)
        middle = np.sqrt(each.smallest_params * each.largest_params)
        axes.text(
            middle,
            place,
            text,
            ha="center",
            va="center",
            size=9.5,
            color=style.INK,
            path_effects=style.CLEAR,
        )
        return
    ends = [each.crossover_params_low, each.crossover_params_high]
    drawn = [low if np.isnan(ends[0]) else ends[0], high if np.isnan(ends[1]) else ends[1]]
    if each.verdict != "unreplicated":
        look = networks.look(each.kernel)
        axes.hlines(place, drawn[0], drawn[1], color=look.colour, lw=5, alpha=0.45)
        for end, x, marker in zip(ends, drawn, "<>", strict=True):
            if np.isnan(end):
                axes.plot(x, place, marker=marker, color=look.colour, clip_on=False)
    if np.isfinite(each.crossover_params):
        axes.plot(
            each.crossover_params, place, ms=7.5, gid=f"here {place}", **networks.point(each.kernel)
        )


def _name(each: Any) -> str:
    counted = boundaries.LABELS.get(each.boundary, each.boundary)
    return f"{each.dtype}, batch {each.batch_size},\n{networks.short(each.kernel)}: {counted}"
