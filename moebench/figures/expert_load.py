"""Who is asked for how often: share of assignments of every expert and layer, before and after."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, PercentFormatter

from moebench.figures import style
from moebench.figures.base import Figure, Tables, highest
from moebench.figures.experts import one_seed
from moebench.figures.notes import write_below


class ExpertLoad(Figure):
    """A row for each layer, a column for each router; experts in their own order."""

    title = "How often is each expert asked for?"
    columns = {
        "load": (
            "router",
            "seed",
            "state",
            "layer",
            "expert",
            "requested_share",
            "kept_share",
            "fair_share",
        )
    }
    keys = {"load": ("router", "seed", "state", "layer", "expert")}

    def draw(self, tables: Tables) -> Canvas:
        """Draw bars: filled what was kept, outlined what was asked for; a dash for untrained."""
        table = one_seed(tables["load"])
        routers, layers = style.order(table["router"]), sorted(table["layer"].unique())
        canvas = Canvas(figsize=(style.WIDTH_IN, 1.7 + 1.9 * len(layers)))
        bottom = 1.25 / (1.7 + 1.9 * len(layers))
        grid = canvas.subplots(
            len(layers), len(routers), sharex=True, sharey=True, squeeze=False,
            gridspec_kw={"left": 0.085, "right": 0.99, "top": 0.92, "bottom": bottom,
                         "hspace": 0.12, "wspace": 0.08},
        )  # fmt: skip
        for row, layer in enumerate(layers):
            for column, router in enumerate(routers):
                mine = table[(table["router"] == router) & (table["layer"] == layer)]
                _panel(grid[row, column], mine, router)
            grid[row, 0].set_ylabel(f"layer {layer}")
        for column, router in enumerate(routers):
            grid[0, column].set_title(style.label(router), size=10.5)
            grid[-1, column].set_xlabel("expert")
        canvas.legend(handles=_handles(), loc="lower center", bbox_to_anchor=(0.5, 0.055), ncols=4)
        write_below(canvas, [_note(tables["load"])])
        return canvas

    def caption(self, tables: Tables) -> str:
        """Name the router whose busiest expert is asked for most."""
        table = one_seed(tables["load"])
        trained = table[table["state"] == "trained"]
        text = [
            "Share of the assignments on held-out text that each expert is asked for, and that it "
            "keeps after capacity."
        ]
        if len(trained):
            trained = trained.assign(over=trained["requested_share"] / trained["fair_share"])
            worst = highest(trained, "over")
            text.append(
                f"The busiest: expert {worst.expert} of {style.label(worst.router)} in layer "
                f"{worst.layer}, asked for {worst.over:.2f} times as often as its fair share."
            )
        return " ".join([*text, _note(tables["load"])])


def _panel(axes: Axes, mine: pd.DataFrame, router: str) -> None:
    look = style.look(router)
    trained = mine[mine["state"] == "trained"]
    bars: dict[str, Any] = {"width": 0.78, "edgecolor": look.colour, "linewidth": 1.1}
    axes.bar(trained["expert"], trained["requested_share"], color="white", **bars)
    axes.bar(trained["expert"], trained["kept_share"], color=look.colour, **bars)
    before = mine[mine["state"] == "untrained"]
    axes.plot(
        before["expert"], before["requested_share"], ls="", marker="_", ms=9, mew=1.8,
        color=style.INK, gid=f"untrained {router}",
    )  # fmt: skip
    if len(mine):
        axes.axhline(mine["fair_share"].iloc[0], color=style.FRONTIER, lw=1.2, ls=":")
    axes.grid(False, axis="x")
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))


def _handles() -> list[Any]:
    return [
        Patch(facecolor="#808080", edgecolor="#808080", label="kept"),
        Patch(facecolor="white", edgecolor="#808080", label="asked for, dropped"),
        Line2D([], [], ls="", marker="_", ms=9, mew=1.8, color=style.INK, label="untrained"),
        Line2D([], [], ls=":", color=style.FRONTIER, label="fair share"),
    ]


def _note(table: pd.DataFrame) -> str:
    seeds = table["seed"].nunique()
    return (
        f"Seed {table['seed'].min()} of {seeds}: experts of unlike seeds have nothing in common "
        "but their number."
        if seeds > 1
        else "One seed."
    )
