"""Tokens per expert over training: a map of steps and experts for each router."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.image import AxesImage

from moebench.figures import style
from moebench.figures.base import Figure, Tables, rows
from moebench.figures.experts import last_layer, note, one_seed
from moebench.figures.notes import write_below

LARGEST = 3.0  # of the fair share: the darkest shade
COLUMNS = 3
PANEL_IN = 1.75
EDGES_IN = (0.45, 1.15)  # above and below the panels


class LoadOverTime(Figure):
    """A panel for each router; darker where an expert is asked for more often."""

    title = "When does the load even out?"
    columns = {
        "loads": (
            "router",
            "capacity_factor",
            "seed",
            "step",
            "layer",
            "expert",
            "share",
            "fair_share",
        )
    }
    keys = {"loads": ("router", "capacity_factor", "seed", "step", "layer", "expert")}

    def draw(self, tables: Tables) -> Canvas:
        """Draw the load as a share of the fair one, a column for each scoring."""
        table = shown(tables["loads"])
        routers = style.order(table["router"])
        num_rows = -(-len(routers) // COLUMNS)
        height = num_rows * PANEL_IN + sum(EDGES_IN)
        canvas = Canvas(figsize=(style.WIDTH_IN, height))
        panels = canvas.subplots(
            num_rows, COLUMNS, squeeze=False, sharex=True, sharey=True,
            gridspec_kw={"left": 0.065, "right": 0.9, "top": 1 - EDGES_IN[0] / height,
                         "bottom": EDGES_IN[1] / height, "wspace": 0.07, "hspace": 0.3},
        )  # fmt: skip
        for axes, router in zip(panels.flat, routers, strict=False):
            image = _panel(axes, table[table["router"] == router])
            axes.set_title(style.label(router), size=10.5, loc="left", pad=4)
            axes.xaxis.set_tick_params(labelbottom=True)
        for axes in panels.flat[len(routers) :]:
            axes.set_axis_off()
        for axes in panels[:, 0]:
            axes.set_ylabel("expert")
        canvas.supxlabel("optimiser step", y=0.62 / height, size=12)
        bar = canvas.colorbar(image, cax=canvas.add_axes((0.915, 0.35, 0.015, 0.45)), extend="max")
        bar.set_label("load over fair share")
        write_below(canvas, _note(tables["loads"]))
        return canvas

    def caption(self, tables: Tables) -> str:
        """Name the expert whose load moved most from the first scoring to the last."""
        table = shown(tables["loads"])
        ratio = table.assign(ratio=table["share"] / table["fair_share"])
        wide = ratio.pivot(index=["router", "expert"], columns="step", values="ratio")
        text = [
            "Tokens per expert at every scoring of the held-out text, before capacity, in units of "
            "the fair share."
        ]
        if len(wide.columns) > 1:
            first, last = wide.columns[0], wide.columns[-1]
            moved = (wide[last] - wide[first]).abs()
            router, expert = moved.sort_values(kind="stable").index[-1]
            before, after = wide.loc[(router, expert), [first, last]]
            text.append(
                f"The load that moved most: expert {expert} of {style.label(router)}, {before:.2f} "
                f"after {first} steps and {after:.2f} after {last}."
            )
        return " ".join([*text, *_note(tables["loads"])])


def shown(loads: pd.DataFrame) -> pd.DataFrame:
    """Rows of the first seed, the last layer and the largest capacity factor."""
    table = last_layer(one_seed(loads))
    largest: pd.DataFrame = table[table["capacity_factor"] == table["capacity_factor"].max()]
    return largest


def _panel(axes: Axes, table: pd.DataFrame) -> AxesImage:
    steps, experts = sorted(table["step"].unique()), sorted(table["expert"].unique())
    ratio = np.zeros((len(experts), len(steps)))
    for each in rows(table):
        ratio[each.expert, steps.index(each.step)] = each.share / each.fair_share
    image = axes.imshow(ratio, cmap="Greys", vmin=0, vmax=LARGEST, aspect="auto")
    axes.set_xticks(range(len(steps)), [str(step) for step in steps])
    axes.grid(False)
    return image


def _note(loads: pd.DataFrame) -> list[str]:
    factor = loads["capacity_factor"].max()
    return [note(loads), f"Capacity factor {factor:g}; loads are those asked for."]
