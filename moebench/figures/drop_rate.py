"""What each capacity drops: share of assignments refused, and of tokens left without an expert."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import PercentFormatter

from moebench.figures import style
from moebench.figures.base import Figure, Tables, highest
from moebench.figures.capacities import KEY, SIZES, TITLES, Curve, curves, grid, legend, routings
from moebench.figures.notes import join, write_below

HOLLOW = "gate"


class DropRate(Figure):
    """A column for each routing; above dropped assignments, below unrouted tokens."""

    title = "How much does each capacity drop?"
    columns = {
        "capacity": (
            "routing",
            "router",
            "num_experts",
            "top_k",
            "policy",
            "capacity_factor",
            "num_tokens",
            "drop_rate",
            "drop_rate_low",
            "drop_rate_high",
            "unrouted_rate",
        )
    }
    keys = {"capacity": KEY}

    def draw(self, tables: Tables) -> Canvas:
        """Draw lines over capacity factors, with the intervals of the drop rate."""
        table = padded(tables)
        canvas = Canvas(figsize=(style.WIDTH_IN, 7.2))
        if table.empty:
            write_below(canvas, ["Nothing is drawn: no routing has a capacity."])
            return canvas
        columns = grid(canvas, table, 2)
        for routing, (above, below) in columns.items():
            for curve in curves(table, routing):
                _drops(above, curve)
                _unrouted(below, curve)
        first, second = columns[routings(table)[0]]
        first.set_ylabel("assignments dropped")
        second.set_ylabel("tokens without an expert")
        for axes in (first, second):
            axes.set_ylim(bottom=0)
            axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        legend(canvas, table)
        write_below(canvas, _note(table))
        return canvas

    def caption(self, tables: Tables) -> str:
        """Name the routing that drops most at each of two capacities."""
        table = padded(tables)
        text = [
            "Share of assignments that capacity refuses, and of tokens that reach no expert, "
            f"against the capacity factor; {table['num_tokens'].max() if len(table) else 0:g} "
            "tokens at a time."
        ]
        for routing in routings(table):
            worst = highest(table[table["routing"] == routing], "drop_rate")
            who = style.label(worst.router) if routing == "trace" else TITLES[routing]
            text.append(
                f"Most dropped by {who}: {worst.drop_rate:.1%} at capacity factor "
                f"{worst.capacity_factor:g} (E {worst.num_experts}, K {worst.top_k})."
            )
        return " ".join([*text, *_note(table)])


def padded(tables: Tables) -> pd.DataFrame:
    """Cells that have a capacity."""
    table = tables["capacity"]
    return table[table["capacity_factor"].notna()]


def _drops(axes: Axes, curve: Curve) -> None:
    """The drop rate, which is the same whatever the policy: it follows from the loads alone."""
    cells = curve.cells.drop_duplicates("capacity_factor")
    x, look = cells["capacity_factor"], curve.look
    axes.plot(x, cells["drop_rate"], ms=5.5, gid=f"drops {curve.name}", **look)
    axes.vlines(x, cells["drop_rate_low"], cells["drop_rate_high"], color=look["color"], lw=1.2)


def _unrouted(axes: Axes, curve: Curve) -> None:
    for policy, cells in curve.cells.groupby("policy"):
        look = curve.look | ({"markerfacecolor": "white", "lw": 0.9} if policy == HOLLOW else {})
        name = f"unrouted {curve.name} {policy}"
        axes.plot(cells["capacity_factor"], cells["unrouted_rate"], ms=5.5, gid=name, **look)


def _note(table: pd.DataFrame) -> list[str]:
    notes = [SIZES] if set(table["routing"]) - {"trace"} else []
    notes += [
        "How many assignments are dropped does not depend on the policy, whose they are does."
    ]
    policies = sorted(table["policy"].unique())
    if len(policies) > 1:
        notes.append("Below, filled: later tokens are dropped first; hollow: smaller weights.")
    if table["drop_rate_low"].isna().any():
        notes.append("No intervals: too few rounds.")
    missing = [TITLES[name] for name in TITLES if name not in set(table["routing"])]
    return [*notes, *([f"Not measured: {join(missing)}."] if missing else [])]
