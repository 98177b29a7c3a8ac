"""A passage as a map of tokens and experts: how much each token wants each expert."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.image import AxesImage

from moebench.figures import style
from moebench.figures.base import Figure, Tables
from moebench.figures.experts import glyph, last_layer, note, one_seed
from moebench.figures.notes import write_below

ACROSS = 64


class RoutingHeatmap(Figure):
    """A panel for each router; darker where the weight is larger, a cross where it was dropped."""

    title = "How much does each token want each expert?"
    columns = {
        "passage": (
            "router",
            "seed",
            "state",
            "layer",
            "position",
            "text",
            "num_experts",
            "expert",
            "weight",
            "is_kept",
        )
    }
    keys = {"passage": ("router", "seed", "state", "layer", "position", "expert")}

    def draw(self, tables: Tables) -> Canvas:
        """Draw weights as shades."""
        table = shown(tables)
        routers = style.order(table["router"])
        height = 1.35 + 1.35 * len(routers)
        canvas = Canvas(figsize=(style.WIDTH_IN, height))
        panels = canvas.subplots(
            len(routers), 1, squeeze=False, sharex=True,
            gridspec_kw={"left": 0.06, "right": 0.91, "top": 1 - 0.3 / height,
                         "bottom": 0.85 / height, "hspace": 0.28},
        )[:, 0]  # fmt: skip
        for axes, router in zip(panels, routers, strict=True):
            image = _panel(axes, table[table["router"] == router])
            axes.set_title(style.label(router), size=10.5, loc="left", pad=3)
            axes.set_ylabel("expert")
        texts = table.drop_duplicates("position").sort_values("position")
        panels[-1].set_xticks(texts["position"], [glyph(text)[:3] for text in texts["text"]])
        panels[-1].tick_params(axis="x", labelsize=8.5, length=0)
        canvas.colorbar(image, cax=canvas.add_axes((0.922, 0.3, 0.013, 0.4)), label="weight")
        write_below(canvas, _note(tables["passage"]))
        return canvas

    def caption(self, tables: Tables) -> str:
        """Say how many assignments of the passage were dropped."""
        table = shown(tables)
        dropped = 1 - table["is_kept"].mean()
        return " ".join(
            [
                "Weights of the assignments of a held-out passage, after training; "
                f"{dropped:.0%} of those shown were dropped.",
                *_note(tables["passage"]),
            ]
        )


def shown(tables: Tables) -> pd.DataFrame:
    """Assignments of the trained routers in their last layer, as many tokens as fit."""
    table = last_layer(one_seed(tables["passage"]))
    return table[(table["state"] == "trained") & (table["position"] < ACROSS)]


def _panel(axes: Axes, table: pd.DataFrame) -> AxesImage:
    weight = np.zeros((int(table["num_experts"].iloc[0]), int(table["position"].max()) + 1))
    weight[table["expert"], table["position"]] = table["weight"]
    image = axes.imshow(weight, cmap="Greys", vmin=0, vmax=1, aspect="auto")
    dropped = table[~table["is_kept"]]
    axes.plot(
        dropped["position"], dropped["expert"], ls="", marker="x", ms=4.5, mew=1.2,
        color="#D55E00", gid="dropped",
    )  # fmt: skip
    axes.grid(False)
    return image


def _note(table: pd.DataFrame) -> list[str]:
    return [note(table), "A cross: dropped for want of capacity."]
