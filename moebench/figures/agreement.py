"""What figures of a model have in common: predicted against measured, on equal log axes."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from moebench.figures import layouts, style
from moebench.figures.notes import write_below

WITHIN = 0.25  # relative error that the band shows


def panels(cells: pd.DataFrame, measured: str, predicted: str, notes: Sequence[str]) -> Canvas:
    """A panel per direction, with the names of the axes; columns as ``scatter`` wants them."""
    directions = [name for name in layouts.DIRECTIONS if name in set(cells["direction"])]
    canvas = Canvas(figsize=(style.WIDTH_IN, 6.3))
    grid = canvas.subplots(
        1, max(1, len(directions)), squeeze=False,
        gridspec_kw={"left": 0.095, "right": 0.985, "top": 0.94, "bottom": 0.31},
    )[0]  # fmt: skip
    for axes, direction in zip(grid, directions, strict=False):
        scatter(axes, cells[cells["direction"] == direction])
        axes.set_title(layouts.DIRECTIONS[direction])
        axes.set_xlabel(measured)
    grid[0].set_ylabel(predicted)
    canvas.legend(
        handles=layouts.handles(cells["layout"]), loc="upper center",
        bbox_to_anchor=(0.53, 0.215), ncols=3,
    )  # fmt: skip
    write_below(canvas, notes)
    return canvas


def scatter(axes: Axes, cells: pd.DataFrame) -> None:
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
    is_narrow = reach[1] / reach[0] < 50  # where decades alone would leave an axis bare
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5) if is_narrow else (1,)))
        axis.set_minor_formatter(NullFormatter())
        if is_narrow:
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
