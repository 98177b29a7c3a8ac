"""When do routers settle? Balance, dead experts and saturation at every scoring of a training."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from moebench.figures import style
from moebench.figures.base import ArmFigure, Tables, highest
from moebench.figures.notes import join, write_below
from moebench.figures.smoothing import bands, factors

PANELS = {
    "max_vio_routed": "largest load over\nthe mean, less 1",
    "num_dead_experts": "dead experts,\nall layers",
    "saturation": "choices that are\nthe final ones",
}
CHANCE = "saturation_chance"
GREY = "#8a8a8a"
PANEL_IN, LINE_IN, BELOW_IN = 2.15, 0.235, 1.1  # a panel, a line of the legend, below all


class BalanceOverTime(ArmFigure):
    """A column per capacity factor, a row per quantity, a line and a band per router."""

    title = "When do routers settle?"
    columns = {
        "curves": ("router", "capacity_factor", "seed", "step", "quantity", "value"),
        "summary": ("router", "capacity_factor", "causality"),
    }

    def draw(self, tables: Tables) -> Canvas:
        """Draw means over seeds at every scoring, bands from the lowest to the highest seed."""
        curves = drawn(tables["curves"])
        canvas = Canvas(figsize=(style.WIDTH_IN, 1.2))
        if curves.empty:
            write_below(canvas, _note(curves))
            return canvas
        columns, causality = factors(curves), _causality(tables["summary"])
        legend_in = 0.45 + LINE_IN * (1 + len(causality) // 3)
        height = legend_in + len(PANELS) * PANEL_IN + BELOW_IN
        canvas.set_size_inches(style.WIDTH_IN, height)
        grid = canvas.subplots(
            len(PANELS), len(columns), sharex=True, sharey="row", squeeze=False,
            gridspec_kw={"left": 0.115, "right": 0.985, "top": 1 - legend_in / height,
                         "bottom": BELOW_IN / height, "hspace": 0.09, "wspace": 0.05},
        )  # fmt: skip
        for axes_F, (quantity, title) in zip(grid, PANELS.items(), strict=True):
            axes_F[0].set_ylabel(title)
            for axes, factor in zip(axes_F, columns, strict=True):
                _panel(axes, bands(curves, quantity, factor), causality)
        for axes, factor in zip(grid[-1], columns, strict=True):
            _chance(axes, bands(curves, CHANCE, factor))
            axes.set_ylim(0, 1.04)
            axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
            axes.set_xlabel("optimiser step")
        for axes, factor in zip(grid[0], columns, strict=True):
            axes.set_title(f"capacity factor {float(factor)}")
        for row in grid[:2]:
            top = max(1.0, row[0].get_ylim()[1])
            row[0].set_ylim(-0.05 * top, 1.05 * top)
        grid[1][0].yaxis.set_major_locator(MaxNLocator(5, integer=True))
        handles = _handles(causality)
        canvas.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.53, 1.0), ncols=3)
        write_below(canvas, _note(curves))
        return canvas

    def caption(self, tables: Tables) -> str:
        """Say who is least balanced at the end, and who has dead experts."""
        curves = drawn(tables["curves"])
        text = [
            "Balance on all of the held-out text, before capacity, at every scoring; and the share "
            "of the final choices of a fixed batch of held-out tokens that were made already."
        ]
        if curves.empty:
            return " ".join([*text, *_note(curves)])
        ends = curves[curves["step"] == curves["step"].max()]
        arms = ends.groupby(["quantity", "router", "capacity_factor"])["value"].mean().reset_index()
        worst = highest(arms[arms["quantity"] == "max_vio_routed"], "value")
        name = style.cell(worst.router, worst.capacity_factor)
        text.append(f"Furthest from balance at the end: {name}, {worst.value:.2f}.")
        dead = arms[(arms["quantity"] == "num_dead_experts") & (arms["value"] > 0)]
        named = [style.label(router) for router in style.order(dead["router"])]
        text.append(f"With dead experts at the end: {join(named) if named else 'none'}.")
        return " ".join([*text, *_note(curves)])


def drawn(curves: pd.DataFrame) -> pd.DataFrame:
    """The values that are drawn; dense networks have none."""
    return curves[curves["quantity"].isin([*PANELS, CHANCE])].dropna(subset=["value"])


def _causality(summary: pd.DataFrame) -> dict[str, str]:
    routed = summary[summary["capacity_factor"].notna()]
    return dict(zip(routed["router"], routed["causality"], strict=True))


def _panel(axes: Axes, chosen: pd.DataFrame, causality: dict[str, str]) -> None:
    for router in style.order(chosen["router"]):
        mine = chosen[chosen["router"] == router]
        look = style.line(router) | style.point(router, causality[router])
        axes.plot(mine["step"], mine["mean"], ms=5.5, gid=f"curve {router}", **look)
        axes.fill_between(
            mine["step"], mine["min"], mine["max"], color=look["color"], alpha=0.15, lw=0
        )


def _chance(axes: Axes, chosen: pd.DataFrame) -> None:
    """One grey band for all routers: from the least to the most that chance gives."""
    if len(chosen):
        ends = chosen.groupby("step")[["min", "max"]].agg({"min": "min", "max": "max"})
        axes.fill_between(ends.index, ends["min"], ends["max"], color=GREY, alpha=0.3, lw=0)


def _handles(causality: dict[str, str]) -> list[Line2D]:
    handles = [
        Line2D(
            [], [], ms=5.5, label=style.label(router, causality[router]),
            **style.line(router) | style.point(router, causality[router]),
        )
        for router in style.order(causality)
    ]  # fmt: skip
    return [*handles, Line2D([], [], color=GREY, alpha=0.4, lw=7, label="chance, given the loads")]


def _note(curves: pd.DataFrame) -> list[str]:
    if curves.empty:
        return ["Nothing to draw: no router was scored on its way."]
    seeds = curves["seed"].nunique()
    over = (
        f"Lines: mean over {seeds} seeds; bands: lowest to highest." if seeds > 1 else "One seed."
    )
    return [
        over,
        "A dead expert is asked for less than 1 % of its fair share. The lowest row begins before "
        "the first step and ends at 100 % by definition.",
    ]
