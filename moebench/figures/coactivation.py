"""Who works with whom? For all pairs of experts, how often they share a token."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.image import AxesImage

from moebench.figures import style
from moebench.figures.base import Figure, Tables, highest, rows
from moebench.figures.experts import last_layer, note, one_seed
from moebench.figures.notes import write_below

STATES = ("untrained", "trained")
PANEL_IN = 2.05
EDGES_IN = (0.35, 0.95)  # above and below the panels
FEW = 8  # experts, beside which there is room for numbers
NOTHING = "Nothing to draw: no token has two experts."


class Coactivation(Figure):
    """A row of matrices before training and one after it, a column for each router."""

    title = "Which experts serve the same tokens?"
    columns = {
        "coactivation": (
            "router",
            "seed",
            "state",
            "layer",
            "expert",
            "other",
            "share",
            "by_load",
        )
    }
    keys = {"coactivation": ("router", "seed", "state", "layer", "expert", "other")}
    may_be_empty = ("coactivation",)

    def draw(self, tables: Tables) -> Canvas:
        """Draw shares as shades: of the tokens of an expert, those that another serves as well."""
        table = shown(tables["coactivation"])
        if table.empty:
            canvas = Canvas(figsize=(style.WIDTH_IN, 1.2))
            write_below(canvas, [NOTHING])
            return canvas
        routers = style.order(table["router"])
        height = len(STATES) * PANEL_IN + sum(EDGES_IN)
        canvas = Canvas(figsize=(style.WIDTH_IN, height))
        grid = canvas.subplots(
            len(STATES), len(routers), squeeze=False,
            gridspec_kw={"left": 0.085, "right": 0.905, "top": 1 - EDGES_IN[0] / height,
                         "bottom": EDGES_IN[1] / height, "hspace": 0.12, "wspace": 0.12},
        )  # fmt: skip
        for column, router in enumerate(routers):
            mine = table[table["router"] == router]
            num_experts = 1 + int(mine[["expert", "other"]].to_numpy().max())
            for axes, state in zip(grid[:, column], STATES, strict=True):
                image = _panel(axes, mine[mine["state"] == state], num_experts)
            grid[0, column].set_title(style.label(router), size=10.5)
            grid[-1, column].set_xlabel("the other")
        for axes, state in zip(grid[:, 0], STATES, strict=True):
            axes.set_ylabel(f"{state}\nexpert")
        bar = canvas.colorbar(image, cax=canvas.add_axes((0.92, 0.3, 0.014, 0.5)))
        bar.set_label("share of the expert's tokens")
        write_below(canvas, _note(tables["coactivation"]))
        return canvas

    def caption(self, tables: Tables) -> str:
        """Name the pair that shares most beyond what its loads explain."""
        table = shown(tables["coactivation"])
        if table.empty:
            return NOTHING
        trained = table[table["state"] == "trained"]
        text = ["Of the tokens of each expert, the share that each other one serves as well."]
        if len(trained):
            beyond = trained.assign(beyond=trained["share"] - trained["by_load"])
            most = highest(beyond, "beyond")
            text.append(
                f"Furthest beyond its load: expert {most.other} has {most.share:.0%} of the tokens "
                f"of expert {most.expert} of {style.label(most.router)}; its load alone would give "
                f"{most.by_load:.0%}."
            )
        return " ".join([*text, *_note(tables["coactivation"])])


def shown(coactivation: pd.DataFrame) -> pd.DataFrame:
    """Pairs of the first seed and the last layer."""
    return last_layer(one_seed(coactivation))


def _panel(axes: Axes, table: pd.DataFrame, num_experts: int) -> AxesImage:
    share = np.full((num_experts, num_experts), np.nan)
    for each in rows(table):
        share[each.expert, each.other] = each.share
    image = axes.imshow(share, cmap="Greys", vmin=0, vmax=1)
    if num_experts <= FEW:
        for each in rows(table):
            axes.text(
                each.other, each.expert, f"{100 * each.share:.0f}", ha="center", va="center",
                size=7, color="white" if each.share > 0.5 else style.INK,
            )  # fmt: skip
        axes.set_xticks(range(num_experts))
        axes.set_yticks(range(num_experts))
    axes.tick_params(labelsize=8, length=0)
    axes.grid(False)
    return image


def _note(table: pd.DataFrame) -> list[str]:
    return [
        note(table),
        "Numbers are percent of the row's tokens; an expert has no pair with itself.",
    ]
