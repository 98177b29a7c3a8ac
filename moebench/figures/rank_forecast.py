"""What does the model expect of 2 to 4096 ranks on other links? A prediction, not a measurement."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import ScalarFormatter

from moebench.figures import layouts, style, ticks
from moebench.figures.base import Figure, Tables
from moebench.figures.notes import write_below
from moebench.figures.ticks import seconds

SCALING = {"fixed": "the same work", "per_rank": "the same work per rank"}
NOTHING = (
    "Nothing is predicted: the config names no link, or no layout has enough cells to fit a model."
)


class RankForecast(Figure):
    """A line per layout; a column per link, a row per kind of scaling."""

    title = "What would more ranks and other links do? A prediction"
    columns = {
        "predictions": (
            "link",
            "scaling",
            "layout",
            "direction",
            "world_size",
            "num_experts",
            "batch_size",
            "top_k",
            "feature_dim",
            "predicted_duration_s",
        )
    }

    may_be_empty = ("predictions",)

    def draw(self, tables: Tables) -> Canvas:
        """Draw predicted durations against ranks, both logarithmic."""
        if tables["predictions"].empty:
            canvas = Canvas(figsize=(style.WIDTH_IN, 1.2))
            write_below(canvas, [NOTHING])
            return canvas
        table = _forward(tables["predictions"])
        links, scalings = _links(table), [name for name in SCALING if name in set(table["scaling"])]
        canvas = Canvas(figsize=(style.WIDTH_IN, 7.4))
        grid = canvas.subplots(
            len(scalings), len(links), sharex=True, sharey="row", squeeze=False,
            gridspec_kw={"left": 0.135, "right": 0.985, "top": 0.945, "bottom": 0.265,
                         "hspace": 0.1, "wspace": 0.06},
        )  # fmt: skip
        for axes_L, scaling in zip(grid, scalings, strict=True):
            for axes, link in zip(axes_L, links, strict=True):
                _lines(axes, table[(table["link"] == link) & (table["scaling"] == scaling)])
            axes_L[0].set_ylabel(f"predicted duration\n{SCALING[scaling]}")
            ticks.log(axes_L[0].yaxis, seconds)
        for axes, link in zip(grid[0], links, strict=True):
            axes.set_title(link.replace("_", " "))
        for axes in grid[-1]:
            axes.set_xlabel("ranks")
            axes.xaxis.set_major_formatter(ScalarFormatter())
        canvas.legend(
            handles=layouts.handles(table["layout"]), loc="upper center",
            bbox_to_anchor=(0.53, 0.195), ncols=3,
        )  # fmt: skip
        write_below(canvas, _note(table))
        return canvas

    def caption(self, tables: Tables) -> str:
        """Name the layout expected to be fastest at the largest number of ranks on each link."""
        if tables["predictions"].empty:
            return NOTHING
        table = _forward(tables["predictions"])
        most = table["world_size"].max()
        text = ["Predicted, not measured: duration against ranks on links of given figures."]
        for (link, scaling), group in table.groupby(["link", "scaling"], sort=True):
            here = group[group["world_size"] == most].sort_values("predicted_duration_s")
            best = here.iloc[0]
            text.append(
                f"{str(link).replace('_', ' ')}, {SCALING[str(scaling)]}: at {most} ranks "
                f"{layouts.label(best['layout'])}, {seconds(best['predicted_duration_s'])}."
            )
        return " ".join([*text, *_note(table)])


def _forward(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of the first direction that was predicted."""
    known = [name for name in layouts.DIRECTIONS if name in set(table["direction"])]
    return table[table["direction"] == known[0]]


def _links(table: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(table["link"]))


def _lines(axes: Axes, mine: pd.DataFrame) -> None:
    for layout in layouts.order(mine["layout"]):
        line = mine[mine["layout"] == layout].sort_values("world_size")
        look = layouts.line(layout) | layouts.point(layout, is_hollow=True)
        axes.plot(
            line["world_size"], line["predicted_duration_s"], ms=3.5, lw=1.3,
            gid=f"forecast {layout}", **look | {"markeredgewidth": 0.9},
        )  # fmt: skip
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.text(
        0.5, 0.5, "PREDICTION", transform=axes.transAxes, ha="center", va="center",
        size=22, color="#e0e0e0", rotation=20, zorder=0,
    )  # fmt: skip


def _note(table: pd.DataFrame) -> list[str]:
    first = table[table["scaling"] == "fixed"]
    notes = [
        "Costs of a rank as fitted on this machine, one core for each rank; collectives by the "
        "algorithms and link figures named in the table. Contention and stragglers are left out."
    ]
    if len(first):
        work = first.iloc[0]
        notes.append(
            f"Same work: batch {work['batch_size']}, width {work['feature_dim']}, "
            f"{work['num_experts']} experts, top-k {work['top_k']}; per rank, batch and experts "
            "grow with the ranks."
        )
    return notes
