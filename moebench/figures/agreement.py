"""What figures of a model have in common: predicted against measured, on equal log axes."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from moebench.figures import layouts, style

WITHIN = 0.25  # relative error that the band shows


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
