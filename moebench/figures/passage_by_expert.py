"""A passage coloured by the expert that each token asks for first."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.patches import Rectangle

from moebench.figures import style
from moebench.figures.base import Figure, Tables, rows
from moebench.figures.experts import colour, glyph, last_layer, note, one_seed, tie_note
from moebench.figures.notes import write_below

ACROSS = 48  # tokens of a line


class PassageByExpert(Figure):
    """A block for each router: the tokens, their colours, and the experts' numbers."""

    title = "Which expert does each token ask for first?"
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
            "is_first",
            "is_tied",
        )
    }
    keys = {"passage": ("router", "seed", "state", "layer", "position", "expert")}

    def draw(self, tables: Tables) -> Canvas:
        """Draw one cell per token."""
        table = shown(tables)
        routers = style.order(table["router"])
        lines = int(table["position"].max()) // ACROSS + 1
        height = 0.75 + len(routers) * (0.36 + 0.42 * lines)
        canvas = Canvas(figsize=(style.WIDTH_IN, height))
        panels = canvas.subplots(
            len(routers), 1, squeeze=False,
            gridspec_kw={"left": 0.012, "right": 0.988, "top": 1 - 0.3 / height,
                         "bottom": 0.55 / height, "hspace": 0.36 / (0.42 * lines)},
        )[:, 0]  # fmt: skip
        for axes, router in zip(panels, routers, strict=True):
            _block(axes, table[table["router"] == router], lines)
            axes.set_title(style.label(router), size=11, loc="left", pad=3)
        write_below(canvas, _note(tables["passage"]))
        return canvas

    def caption(self, tables: Tables) -> str:
        """Say what is shown, of which layer and seed, and where weights tie."""
        return " ".join(
            [
                "Held-out text; colour and number name the expert that a token asks for first, "
                "after training.",
                *_note(tables["passage"]),
            ]
        )


def shown(tables: Tables) -> pd.DataFrame:
    """First choices of the trained routers in their last layer."""
    table = last_layer(one_seed(tables["passage"]))
    return table[(table["state"] == "trained") & table["is_first"]]


def _block(axes: Axes, table: pd.DataFrame, lines: int) -> None:
    axes.set(xlim=(0, ACROSS), ylim=(lines, 0))
    axes.axis("off")
    for each in rows(table):
        y, x = divmod(each.position, ACROSS)
        face = colour(each.expert)
        axes.add_patch(Rectangle((x, y + 0.03), 1, 0.94, facecolor=face, edgecolor="white", lw=0.8))
        shared: dict[str, Any] = {"ha": "center", "va": "center"}
        axes.text(x + 0.5, y + 0.36, glyph(each.text), size=10, family="DejaVu Sans Mono", **shared)
        ink = style.INK if each.is_kept else "#8a0000"
        number = f"{each.expert}" if each.is_kept else f"({each.expert})"
        axes.text(x + 0.5, y + 0.79, number, size=6.5, color=ink, **shared)


def _note(table: pd.DataFrame) -> list[str]:
    mine = last_layer(one_seed(table))
    return [
        note(table),
        "In brackets: dropped for want of capacity. A token without a colour asks for nobody.",
        *tie_note(mine[mine["state"] == "trained"]),
    ]
