"""From the published recipe to ours: perplexity, speed and rank after each repair."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D

from moebench.figures import style, ticks
from moebench.figures.base import Figure, Tables
from moebench.figures.notes import join, write_below
from moebench.figures.repairs import SHORT

HEIGHT_IN = 9.6
DODGE = 0.13  # of a stage's width, between two routers
PANELS = (
    ("val_ppl", "held-out perplexity"),
    ("tokens_per_s", "reported tokens/s"),
    ("rank", "rank by perplexity,\n1 the best"),
)


class Waterfall(Figure):
    """A line per router through the stages, in three panels one below the other."""

    title = "Which repair of the published recipe moves what?"
    columns = {
        "waterfall": (
            "stage",
            "repair",
            "router",
            "causality",
            "num_seeds",
            "val_ppl",
            "val_ppl_low",
            "val_ppl_high",
            "tokens_per_s",
            "tokens_per_s_low",
            "tokens_per_s_high",
            "rank",
            "rank_low",
            "rank_high",
        )
    }
    keys = {"waterfall": ("stage", "router")}

    def draw(self, tables: Tables) -> Canvas:
        """Draw the three panels over one axis of stages."""
        table = tables["waterfall"]
        canvas = Canvas(figsize=(style.WIDTH_IN, HEIGHT_IN))
        grid = canvas.add_gridspec(
            3, 1, left=0.095, right=0.985, top=0.935, bottom=0.145, hspace=0.1,
            height_ratios=(1.25, 1, 1),
        )  # fmt: skip
        for place, (quantity, name) in enumerate(PANELS):
            axes = canvas.add_subplot(grid[place])
            _draw(axes, table, quantity)
            axes.set_ylabel(name)
            axes.tick_params(labelbottom=place == len(PANELS) - 1)
        canvas.legend(
            handles=_handles(table), loc="upper center", ncols=5, bbox_to_anchor=(0.53, 1.0),
            columnspacing=1.2, handletextpad=0.3,
        )  # fmt: skip
        write_below(canvas, notes(table))
        return canvas

    def caption(self, tables: Tables) -> str:
        """Say what the rates and the orders are at both ends."""
        table = tables["waterfall"]
        first, last = (table[table["stage"] == stage] for stage in (0, table["stage"].max()))
        fall = np.exp(np.log(first["tokens_per_s"]).mean() - np.log(last["tokens_per_s"]).mean())
        text = [
            "From the published recipe, on the left, to ours, on the right; each stage repairs one "
            "defect more.",
            f"The reported rate falls by a factor of {fall:.3g}, in the geometric mean of the "
            "routers.",
            f"Order by perplexity, best first: {order(first)} at the start, {order(last)} at the "
            "end.",
        ]
        return " ".join([*text, *notes(table)])


def order(stage: pd.DataFrame) -> str:
    """Routers of a stage by rank, best first."""
    ranked = stage.sort_values(["rank", "router"], kind="stable")["router"]
    return ", ".join(map(style.label, ranked))


def notes(table: pd.DataFrame) -> list[str]:
    """What a reader must know to read the drawing."""
    found = [
        f"Bars are 95 % intervals over {table['num_seeds'].min()} seeds. Perplexity, rate and rank "
        "are what the protocol in force at a stage reports.",
    ]
    if table["val_ppl_low"].isna().any():
        found = ["Without intervals: too few seeds."]
    hollow = table.loc[table["causality"] == style.NON_CAUSAL, "router"]
    if len(hollow):
        found.append(
            f"Hollow: {join(map(style.label, style.order(hollow)))} looks at later tokens there "
            "when it is scored, so its perplexity is no language-model score."
        )
    return found


def _draw(axes: Axes, table: pd.DataFrame, quantity: str) -> None:
    routers = style.order(table["router"])
    stages = table.drop_duplicates("stage").sort_values("stage")
    for place, router in enumerate(routers):
        mine = table[table["router"] == router].sort_values("stage")
        x = mine["stage"].to_numpy() + DODGE * (place - (len(routers) - 1) / 2)
        axes.plot(x, mine[quantity], lw=1, alpha=0.55, **style.line(router))
        axes.vlines(
            x, mine[f"{quantity}_low"], mine[f"{quantity}_high"],
            color=style.look(router).colour, lw=1.6,
        )  # fmt: skip
        for causality in mine["causality"].unique():
            is_so = (mine["causality"] == causality).to_numpy()
            axes.plot(
                x[is_so], mine.loc[is_so, quantity], ls="", ms=6.5,
                gid=f"{quantity} {router} {causality}", **style.point(router, causality),
            )  # fmt: skip
    axes.set_xticks(stages["stage"], [SHORT[repair] for repair in stages["repair"]], size=9)
    axes.set_xlim(-0.5, len(stages) - 0.5)
    axes.grid(axis="x", visible=False)
    for stage in stages["stage"][::2]:
        axes.axvspan(stage - 0.5, stage + 0.5, color="#f6f6f6", zorder=0, lw=0)
    if quantity == "rank":
        axes.set_yticks(range(1, len(routers) + 1))
        axes.set_ylim(len(routers) + 0.5, 0.5)
    if quantity == "tokens_per_s":
        axes.set_yscale("log")
        ticks.log(axes.yaxis, ticks.number)


def _handles(table: pd.DataFrame) -> list[Line2D]:
    first = table.drop_duplicates("router")
    causality = dict(zip(first["router"], first["causality"], strict=True))
    return [
        Line2D([], [], ms=8, label=style.label(router), **style.line(router),
               **{k: v for k, v in style.point(router, causality[router]).items() if k != "color"})
        for router in style.order(table["router"])
    ]  # fmt: skip
