"""What each capacity costs: tokens per second of a layer, without its experts and with them."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import EngFormatter

from moebench.figures import style
from moebench.figures.base import Figure, Tables, rows
from moebench.figures.capacities import KEY, TITLES, Curve, curves, grid, legend, routings
from moebench.figures.notes import write_below

RATES = {
    "pack_tokens_per_s": "tokens/s without experts",
    "layer_tokens_per_s": "tokens/s with experts",
}
PREFERRED = "position"


class TokensPerS(Figure):
    """A column for each routing; above without experts, below with them; dropless at the right."""

    title = "What does each capacity cost?"
    columns = {
        "capacity": (
            "routing",
            "router",
            "num_experts",
            "top_k",
            "policy",
            "capacity_factor",
            "padding_waste",
            "pack_tokens_per_s",
            "pack_tokens_per_s_low",
            "pack_tokens_per_s_high",
            "layer_tokens_per_s",
            "layer_tokens_per_s_low",
            "layer_tokens_per_s_high",
        )
    }
    keys = {"capacity": KEY}

    def draw(self, tables: Tables) -> Canvas:
        """Draw rates over capacity factors, with intervals."""
        table = shown(tables)
        canvas = Canvas(figsize=(style.WIDTH_IN, 7.2))
        columns = grid(canvas, table, len(RATES))
        place = dropless_place(table)
        for routing, panels in columns.items():
            for axes, rate in zip(panels, RATES, strict=True):
                for curve in curves(table, routing):
                    _line(axes, curve, rate, place)
                if table["capacity_factor"].isna().any():
                    _mark_dropless(axes, table, place)
        for axes, name in zip(columns[routings(table)[0]], RATES.values(), strict=True):
            axes.set_ylabel(name)
            axes.set_ylim(bottom=0)
            axes.yaxis.set_major_formatter(EngFormatter(sep=""))
        legend(canvas, table)
        write_below(canvas, _note(table))
        return canvas

    def caption(self, tables: Tables) -> str:
        """Say what the largest capacity costs beside the smallest, and beside none."""
        table = shown(tables)
        text = [
            "Tokens per second of one layer's forward pass, from dropping to combining, against "
            "the capacity factor, without and with the experts' networks."
        ]
        for routing in routings(table):
            text += _costs(table[table["routing"] == routing], TITLES[routing])
        return " ".join([*text, *_note(table)])


def shown(tables: Tables) -> pd.DataFrame:
    """Cells of one drop policy, and those that drop nothing."""
    table = tables["capacity"]
    table = table.assign(router=table["router"].astype(object).fillna(""))
    policies = sorted(set(table["policy"]) - {"none"}, key=lambda name: name != PREFERRED)
    return table[table["policy"].isin([*policies[:1], "none"])]


def dropless_place(table: pd.DataFrame) -> float:
    """Where on the axis of capacity factors those stand that have none."""
    factors = sorted(table["capacity_factor"].dropna().unique())
    if not factors:
        return 1.0
    width = factors[-1] - factors[0] if len(factors) > 1 else 1.0
    return float(factors[-1] + 0.28 * width)


def _line(axes: Axes, curve: Curve, rate: str, place: float) -> None:
    is_dropless = curve.cells["capacity_factor"].isna()
    for cells, name in ((curve.cells[~is_dropless], "padded"), (curve.cells[is_dropless], "none")):
        x, look = cells["capacity_factor"].fillna(place), curve.look
        axes.plot(x, cells[rate], ms=5.5, gid=f"{name} {rate} {curve.name}", **look)
        axes.vlines(x, cells[f"{rate}_low"], cells[f"{rate}_high"], color=look["color"], lw=1.2)


def _mark_dropless(axes: Axes, table: pd.DataFrame, place: float) -> None:
    factors = sorted(table["capacity_factor"].dropna().unique())
    ticks = [*factors, place]
    if len(factors) > 4:
        ticks = [factors[0], factors[len(factors) // 2], factors[-1], place]
    axes.set_xticks(ticks, [*(f"{each:g}" for each in ticks[:-1]), "none"])
    if factors:
        axes.axvline((factors[-1] + place) / 2, color=style.FRONTIER, lw=0.8, ls=":")


def _costs(cells: pd.DataFrame, name: str) -> list[str]:
    """Largest against smallest capacity, over the sizes of a routing."""
    factors = sorted(cells["capacity_factor"].dropna().unique())
    if len(factors) < 2:
        return []
    sizes = ["router", "num_experts", "top_k"]
    wide = cells.assign(capacity_factor=cells["capacity_factor"].fillna(0)).pivot(
        index=sizes, columns="capacity_factor", values="layer_tokens_per_s"
    )
    ratio = wide[factors[-1]] / wide[factors[0]]
    waste = [f"{each.padding_waste:.0%}" for each in rows(cells.sort_values("padding_waste"))]
    return [
        f"With {name}, capacity factor {factors[-1]:g} instead of {factors[0]:g} changes the speed "
        f"with experts by factors of {ratio.min():.2f} to {ratio.max():.2f}; up to {waste[-1]} of "
        "the padded rows are empty."
    ]


def _note(table: pd.DataFrame) -> list[str]:
    policy = next((name for name in table["policy"] if name != "none"), None)
    notes = []
    if policy is not None:
        notes.append(
            f"Padded buffers of E x C rows under drop policy {policy}; a slot that nobody takes is "
            "multiplied like any other."
        )
    if (table["policy"] == "none").any():
        notes.append("None: dropless, rows without gaps, one expert after the other.")
    if table["pack_tokens_per_s_low"].isna().any():
        notes.append("No intervals: too few rounds.")
    return notes
