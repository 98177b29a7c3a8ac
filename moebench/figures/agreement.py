"""What figures of a model have in common: predicted against measured, on equal log axes."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from moebench.figures import layouts, style, ticks
from moebench.figures.notes import write_below

WITHIN = 0.25  # relative error that the band shows


def panels(
    cells: pd.DataFrame,
    quantity: tuple[str, str],
    text: Callable[[float], str],
    notes: Sequence[str],
) -> Canvas:
    """A panel per direction, from columns as ``scatter`` wants them.

    ``quantity`` holds what stands along both axes, ``text`` writes a value of it.
    """
    directions = [name for name in layouts.DIRECTIONS if name in set(cells["direction"])]
    canvas = Canvas(figsize=(style.WIDTH_IN, 6.3))
    grid = canvas.subplots(
        1, max(1, len(directions)), squeeze=False,
        gridspec_kw={"left": 0.105, "right": 0.97, "top": 0.94, "bottom": 0.31},
    )[0]  # fmt: skip
    for axes, direction in zip(grid, directions, strict=False):
        scatter(axes, cells[cells["direction"] == direction], text)
        axes.set_title(layouts.DIRECTIONS[direction])
        axes.set_xlabel(quantity[0])
    grid[0].set_ylabel(quantity[1])
    canvas.legend(
        handles=layouts.handles(cells["layout"]), loc="upper center",
        bbox_to_anchor=(0.53, 0.215), ncols=3,
    )  # fmt: skip
    write_below(canvas, notes)
    return canvas


def scatter(axes: Axes, cells: pd.DataFrame, text: Callable[[float], str]) -> None:
    """Columns ``measured`` and ``predicted``, a marker per cell; ``is_hollow`` ones are white."""
    for layout in layouts.order(cells["layout"]):
        for is_hollow in (False, True):
            mine = cells[(cells["layout"] == layout) & (cells["is_hollow"] == is_hollow)]
            look = layouts.point(layout, is_hollow) | {"markeredgewidth": 1.1}
            axes.plot(mine["measured"], mine["predicted"], ls="", ms=5, alpha=0.85, **look)
    ends = cells[["measured", "predicted"]].to_numpy(float)
    reach = np.array([ends.min() / 1.5, ends.max() * 1.5])
    axes.fill_between(
        reach, reach * (1 - WITHIN), reach * (1 + WITHIN), color="#dddddd", lw=0, zorder=0
    )
    axes.plot(reach, reach, color=style.INK, lw=0.9, zorder=1, gid="equal")
    axes.set(xscale="log", yscale="log", xlim=reach, ylim=reach)
    for axis in (axes.xaxis, axes.yaxis):
        ticks.log(axis, text)
