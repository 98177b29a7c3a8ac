"""What the figures of the capacity room share: a panel for each routing, a line for each size."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D

from moebench.figures import style

KEY = ("routing", "router", "num_experts", "top_k", "policy", "capacity_factor")
TITLES = {
    "normal": "independent normal logits",
    "zipf": "experts wanted by Zipf's law",
    "trace": "trained routers",
}
SIZES = "E: experts; K: experts per token."
_COLOURS = ("#0072B2", "#CC79A7", "#999933", "#44AA99")
_MARKERS = ("o", "s", "^", "D", "v", "P")
_LINES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (4, 1.2, 1, 1.2)))


@dataclass(frozen=True)
class Curve:
    """One routing at one size: its name, how it is drawn, and its cells by capacity factor."""

    name: str
    look: dict[str, Any]
    cells: pd.DataFrame


def routings(table: pd.DataFrame) -> list[str]:
    """The routings that the table has, in the order of the panels."""
    return [name for name in TITLES if name in set(table["routing"])]


def curves(table: pd.DataFrame, routing: str) -> Iterator[Curve]:
    """The curves of a panel: one for each router, or for each number of experts and choices."""
    mine = table[table["routing"] == routing].sort_values("capacity_factor")
    if routing == "trace":
        for router in style.order(mine["router"]):
            look = style.point(router) | style.line(router)
            yield Curve(style.label(router), look, mine[mine["router"] == router])
        return
    experts, choices = (sorted(table[name].unique()) for name in ("num_experts", "top_k"))
    for (num_experts, top_k), cells in mine.groupby(["num_experts", "top_k"]):
        place, turn = choices.index(top_k), experts.index(num_experts)
        look = {
            "color": _COLOURS[place % len(_COLOURS)],
            "linestyle": _LINES[turn % len(_LINES)],
            "marker": _MARKERS[turn % len(_MARKERS)],
        }
        yield Curve(f"E {num_experts}, K {top_k}", look, cells)


def grid(canvas: Canvas, table: pd.DataFrame, num_rows: int) -> dict[str, list[Axes]]:
    """Axes of a column for each routing, with one scale for each row, below a title."""
    names = routings(table)
    axes = canvas.subplots(
        num_rows, len(names), sharex=True, sharey="row", squeeze=False,
        gridspec_kw={"left": 0.085, "right": 0.985, "top": 0.945, "bottom": 0.275,
                     "hspace": 0.09, "wspace": 0.07},
    )  # fmt: skip
    for column, name in enumerate(names):
        axes[0, column].set_title(TITLES[name], size=11)
        axes[-1, column].set_xlabel("capacity factor")
    return {name: list(axes[:, column]) for column, name in enumerate(names)}


def legend(canvas: Canvas, table: pd.DataFrame) -> None:
    """Name every curve below the panels; sizes are drawn alike in all panels."""
    found: dict[str, dict[str, Any]] = {}
    for routing in routings(table):
        for curve in curves(table, routing):
            found.setdefault(curve.name, curve.look)
    handles = [Line2D([], [], label=name, ms=6.5, **look) for name, look in found.items()]
    canvas.legend(
        handles=handles, loc="upper center", bbox_to_anchor=(0.5, 0.205), ncols=min(len(handles), 5)
    )
