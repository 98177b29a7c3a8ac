"""Where does the time of a call go? Routing, dispatch, experts, each collective, waiting."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.patches import Patch

from moebench.figures import layouts, style
from moebench.figures.base import Figure, Tables, rows
from moebench.figures.notes import write_below
from moebench.figures.sweeps import HELD
from moebench.figures.ticks import seconds

# Light and dark alternate, and hatches mark what is sent, so that a grey print keeps them apart.
PARTS: dict[str, tuple[str, str, str]] = {  # column: name, colour, hatch
    "routing_s": ("routing", "#DDAA33", ""),
    "dispatch_s": ("dispatch", "#882255", ""),
    "experts_s": ("experts", "#88CCEE", ""),
    "backward_s": ("backward", "#555555", ""),
    "all_reduce_s": ("all-reduce", "#004488", "////"),
    "all_gather_s": ("all-gather", "#44AA99", "\\\\\\\\"),
    "all_to_all_s": ("all-to-all", "#BB5566", "xxxx"),
    "reduce_scatter_s": ("reduce-scatter", "#999933", "...."),
    "broadcast_s": ("broadcast", "#AA4499", "++++"),
    "waiting_s": ("waiting for other ranks", "#eeeeee", ""),
    "other_s": ("other", "#aaaaaa", "oo"),
}
SHAPE = ("world_size", "num_experts", "batch_size", "top_k", "feature_dim")


class TimeSplit(Figure):
    """A bar per layout, split into shares of its time; a column per size, a row per direction."""

    title = "Where does the time of a call go?"
    columns = {
        "parallel": (
            "sweep",
            "layout",
            "direction",
            "world_size",
            "num_experts",
            "batch_size",
            "top_k",
            "feature_dim",
            "oversubscribed",
            "median_duration_s",
            "routing_s",
            "dispatch_s",
            "experts_s",
            "backward_s",
            "all_reduce_s",
            "all_gather_s",
            "all_to_all_s",
            "reduce_scatter_s",
            "broadcast_s",
            "waiting_s",
            "other_s",
        )
    }

    def draw(self, tables: Tables) -> Canvas:
        """Draw shares of the time of clocked calls; beside a bar the undisturbed duration."""
        cells = _split(tables["parallel"])
        chosen = _sizes(cells)
        directions = [name for name in layouts.DIRECTIONS if name in set(cells["direction"])]
        names = layouts.order(cells["layout"])
        height = 0.75 + len(directions) * (0.65 + 0.3 * len(names)) + 1.35
        canvas = Canvas(figsize=(style.WIDTH_IN, height))
        grid = canvas.subplots(
            max(1, len(directions)), max(1, len(chosen)), sharex=True, sharey=True, squeeze=False,
            gridspec_kw={"left": 0.26, "right": 0.99, "top": 1 - 0.55 / height,
                         "bottom": 1.7 / height, "hspace": 0.3, "wspace": 0.05},
        )  # fmt: skip
        for axes_S, direction in zip(grid, directions, strict=False):
            for axes, (title, mine) in zip(axes_S, chosen, strict=False):
                axes.set_title(f"{title}\n{layouts.DIRECTIONS[direction]}", fontsize=9.5)
                here = mine[mine["direction"] == direction]
                if here.empty:
                    axes.text(0.5, 0.5, "not measured", transform=axes.transAxes, ha="center")
                _bars(axes, here, names)
        for axes in grid[-1]:
            axes.set_xlabel("share of the time of a call")
        canvas.legend(
            handles=_legend(cells), loc="upper center", ncols=5, fontsize=9.5,
            bbox_to_anchor=(0.5, 1.15 / height),
        )  # fmt: skip
        write_below(canvas, _note(cells, tables["parallel"]))
        return canvas

    def caption(self, tables: Tables) -> str:
        """Say for each layout what takes most of its time, at the largest size."""
        cells = _split(tables["parallel"])
        text = ["Where the time of a call goes, as shares of it."]
        for title, mine in _sizes(cells)[-1:]:
            first = mine[mine["direction"] == mine["direction"].iloc[0]]
            largest = {
                layouts.label(each.layout): _largest(each)
                for each in rows(first.drop_duplicates("layout"))
            }
            found = "; ".join(f"{name}: {part}" for name, part in largest.items())
            text.append(f"Largest parts at {title}: {found}.")
        return " ".join([*text, *_note(cells, tables["parallel"])])


def _split(table: pd.DataFrame) -> pd.DataFrame:
    """Cells whose calls were clocked inside."""
    cells = table.copy()
    cells["split_s"] = cells[list(PARTS)].sum(axis=1)
    return cells[cells["split_s"] > 0]


def _sizes(cells: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """The least and the most work among the sizes that most layouts and ranks compute."""
    if cells.empty:
        return []
    groups: list[tuple[dict[str, Any], pd.DataFrame]] = [
        (dict(zip(SHAPE, key, strict=True)), group)
        for key, group in cells.groupby(list(SHAPE), sort=True)
    ]
    most = max(group["layout"].nunique() for _, group in groups)
    full = [(size, group) for size, group in groups if group["layout"].nunique() == most]
    full.sort(key=lambda each: each[0]["batch_size"] * each[0]["top_k"] * each[0]["feature_dim"])
    ends = full[:1] + full[-1:] if len(full) > 1 else full
    return [
        (", ".join(HELD[name].format(value) for name, value in size.items()), group)
        for size, group in ends
    ]


def _bars(axes: Axes, mine: pd.DataFrame, names: list[str]) -> None:
    for each in rows(mine.drop_duplicates("layout")):
        left, place = 0.0, names.index(each.layout)
        for column, (_, colour, hatch) in PARTS.items():
            share = getattr(each, column) / each.split_s
            if share > 0:
                look: dict[str, Any] = {"color": colour, "hatch": hatch, "edgecolor": "white"}
                axes.barh(place, share, left=left, lw=0.4, **look)
                left += share
        mark = "*" if each.oversubscribed else ""
        axes.text(1.012, place, seconds(each.median_duration_s) + mark, va="center", size=8.5)
    axes.set_yticks(range(len(names)), [layouts.label(name) for name in names], size=9)
    axes.set(xlim=(0, 1.2), ylim=(len(names) - 0.5, -0.5))
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1.0])
    axes.grid(visible=False, axis="y")


def _legend(cells: pd.DataFrame) -> list[Patch]:
    return [
        Patch(facecolor=colour, hatch=hatch, edgecolor="white", label=name)
        for column, (name, colour, hatch) in PARTS.items()
        if (cells[column] > 0).any()
    ]


def _largest(each: Any) -> str:
    column = max(PARTS, key=lambda name: getattr(each, name))
    return f"{PARTS[column][0]} ({getattr(each, column) / each.split_s:.0%})"


def _note(cells: pd.DataFrame, table: pd.DataFrame) -> list[str]:
    notes = [
        "Shares come from calls that were clocked inside; the duration beside a bar is the median "
        "of calls that were not.",
    ]
    if cells["oversubscribed"].any():
        notes.append("*: more ranks than cores.")
    num_others = len(cells.groupby(list(SHAPE))) - len(_sizes(cells))
    if num_others > 0:
        notes.append(f"Least and most work; {num_others} more sizes are in the table.")
    if len(cells) < len(table):
        notes.append(f"{len(table) - len(cells)} cells were not clocked inside.")
    return notes
