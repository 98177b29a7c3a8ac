"""What figures of a sweep have in common: one quantity against one axis, a line per layout.

A panel is everything that was held fixed while the axis moved. Where more was measured than there
is room for, the panels with most points are drawn, and the note says how many were not.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from moebench.figures import layouts, style, ticks
from moebench.figures.base import Figure, Tables
from moebench.figures.notes import write_below

AXES = {
    "world_size": "ranks",
    "num_experts": "experts",
    "batch_size": "batch in samples",
    "top_k": "experts per sample (top-k)",
    "feature_dim": "width of a sample",
}
HELD = {
    "world_size": "ranks {}",
    "num_experts": "experts {}",
    "batch_size": "batch {}",
    "top_k": "top-k {}",
    "feature_dim": "width {}",
}
SIDE_BY_SIDE, MOST_ROWS = 3, 2  # panels
Group = tuple[str, pd.DataFrame]  # title and cells
MANY_TICKS = 5
LONG_TITLE = 40  # characters, as far as a title of a panel among three reaches
LOG_FROM = 8.0  # largest over smallest value from which on an axis is logarithmic


@dataclass(frozen=True)
class Panel:
    """Cells that differ in the axis, the layout and the direction only."""

    title: str
    cells: pd.DataFrame


class SweepFigure(Figure):
    """A quantity against an axis: panels in rows; of two directions, a row each."""

    axis: ClassVar[str]
    ylabel: ClassVar[str] = "duration of a call"
    smaller_is_better: ClassVar[bool] = True

    def values(self, cells: pd.DataFrame) -> pd.DataFrame:
        """The cells with columns ``value``, ``low`` and ``high``, in the unit of the label."""
        return cells.assign(
            value=cells["median_duration_s"], low=cells["median_low_s"], high=cells["median_high_s"]
        )

    def text(self, value: float) -> str:
        """A value for a reader."""
        return ticks.seconds(value)

    def tick(self, value: float) -> str:
        """A value at a tick."""
        return ticks.seconds(value)

    def draw(self, tables: Tables) -> Canvas:
        """Draw lines through the values, with intervals where there are any."""
        chosen, _ = panels(self.values(tables["parallel"]), self.axis)
        rows = _rows(chosen)
        height = 2.15 + 2.7 * len(rows)
        canvas = Canvas(figsize=(style.WIDTH_IN, height))
        grid = canvas.subplots(
            len(rows), len(rows[0][1]), sharey="row", squeeze=False,
            gridspec_kw={"left": 0.13, "right": 0.985, "top": 1 - 0.4 / height,
                         "bottom": 1.9 / height,
                         "hspace": 0.32, "wspace": 0.06},
        )  # fmt: skip
        for axes_P, (direction, row) in zip(grid, rows, strict=True):
            for axes, panel in zip(axes_P, row, strict=False):
                cells = panel.cells[panel.cells["direction"] == direction]
                self._panel(axes, cells)
                axes.set_title(panel.title, fontsize=9.5 if len(panel.title) <= LONG_TITLE else 8.5)
            for axes in axes_P[len(row) :]:
                axes.set_axis_off()
            axes_P[0].set_ylabel(f"{self.ylabel}\n{layouts.DIRECTIONS[direction]}")
            if axes_P[0].get_yscale() == "log":
                ticks.log(axes_P[0].yaxis, self.tick)
        for axes in grid[-1]:
            axes.set_xlabel(AXES[self.axis])
        drawn = [name for panel in chosen for name in panel.cells["layout"]]
        canvas.legend(
            handles=layouts.handles(drawn), loc="upper center",
            bbox_to_anchor=(0.53, 1.35 / height), ncols=3, fontsize=10,
        )  # fmt: skip
        write_below(canvas, self._note(tables["parallel"]))
        return canvas

    def caption(self, tables: Tables) -> str:
        """Name the best layout at both ends of the axis."""
        chosen, _ = panels(self.values(tables["parallel"]), self.axis)
        text = [f"{self.ylabel.capitalize()} against {AXES[self.axis]}."]
        for panel in chosen:
            cells = panel.cells[panel.cells["direction"] == panel.cells["direction"].iloc[0]]
            text.append(f"{panel.title}: {'; '.join(self._ends(cells))}.")
        return " ".join([*text, *self._note(tables["parallel"])])

    def _panel(self, axes: Axes, cells: pd.DataFrame) -> None:
        for layout in layouts.order(cells["layout"]):
            mine = cells[cells["layout"] == layout].sort_values(self.axis)
            _line(axes, mine, layout, self.axis)
        _scale(axes, "x", cells[self.axis])
        _scale(axes, "y", cells["value"])

    def _ends(self, cells: pd.DataFrame) -> Iterator[str]:
        values = cells[self.axis]
        for value in dict.fromkeys((values.min(), values.max())):
            here = cells[values == value].sort_values(
                "value", ascending=self.smaller_is_better, kind="stable"
            )
            best = here.iloc[0]
            name = layouts.label(best["layout"])
            yield f"at {value} best is {name} with {self.text(best['value'])}"

    def _note(self, cells: pd.DataFrame) -> list[str]:
        chosen, num_left_out = panels(self.values(cells), self.axis)
        drawn = pd.concat([panel.cells for panel in chosen])
        notes = ["Bars: 95 % intervals of the median over blocks of calls."]
        if drawn["oversubscribed"].any():
            notes.append("Hollow: more ranks than cores.")
        if drawn[["low", "high"]].isna().any(axis=None):
            notes.append("Where a bar is missing, there were too few blocks.")
        if num_left_out:
            notes.append(f"Panels that did not fit: {num_left_out}; their cells are in the table.")
        return notes


class ThroughputFigure(SweepFigure):
    """Samples per second: the batch over the duration, so its interval is that of the duration."""

    ylabel = "samples/s"
    smaller_is_better = False

    def values(self, cells: pd.DataFrame) -> pd.DataFrame:
        """Rates, whose lower end comes from the upper end of the duration."""
        return cells.assign(
            value=cells["throughput_samples_per_s"],
            low=cells["batch_size"] / cells["median_high_s"],
            high=cells["batch_size"] / cells["median_low_s"],
        )

    def text(self, value: float) -> str:
        """A rate for a reader."""
        return f"{value:,.0f} samples/s"

    def tick(self, value: float) -> str:
        """A rate at a tick, where the axis names the unit."""
        return ticks.number(value)


def panels(cells: pd.DataFrame, axis: str) -> tuple[list[Panel], int]:
    """Panels in which the axis takes more than one value, and how many did not fit.

    A table in which the axis does not move gives the panels of single points that it has.
    """
    groups = list(_united(_groups(cells, axis), axis))
    moving = list(_lines_only(groups, axis)) or groups
    ranked = sorted(moving, key=lambda group: _worth(group[1], axis), reverse=True)
    directions = {name for _, group in moving for name in group["direction"]}
    most = SIDE_BY_SIDE * (MOST_ROWS if len(directions) == 1 else 1)
    chosen = [Panel(title, group) for title, group in sorted(ranked[:most], key=_place)]
    return chosen, len(ranked) - len(chosen)


def _worth(cells: pd.DataFrame, axis: str) -> tuple[int, int, int]:
    """Panels with more points come first, then those with more cells, then with more ranks."""
    return cells[axis].nunique(), len(cells), cells["world_size"].max()


def _place(group: Group) -> tuple[int, ...]:
    """Smaller ones first, by ranks above all."""
    return tuple(group[1][list(HELD)].min())


def _groups(cells: pd.DataFrame, axis: str) -> list[Group]:
    """Cells by sweep and by what is held fixed, with titles; experts may follow the ranks."""
    groups = []
    for _, sweep in cells.groupby("sweep", sort=True):
        equal = (sweep["num_experts"] == sweep["world_size"]).all()
        follows = axis == "world_size" and bool(equal)
        held = [name for name in AXES if name != axis and not (follows and name == "num_experts")]
        for key, group in sweep.groupby(held, sort=True):
            groups.append((_title(dict(zip(held, key, strict=True)), follows), group))
    return groups


def _lines_only(groups: list[Group], axis: str) -> Iterator[Group]:
    """Groups in which the axis moves, without the single points that come from other sweeps."""
    for title, group in groups:
        along = group.groupby(["layout", "direction"])[axis].transform("nunique")
        if (along > 1).any():
            yield title, group[along > 1]


def _united(groups: list[Group], axis: str) -> Iterator[Group]:
    """One group for each title: sweeps share cells, which are measured once and told in each.

    Sweeps with unlike values for one cell differ in what no title says; each keeps its own group.
    """
    for title in dict.fromkeys(title for title, _ in groups):
        mine = [group for other, group in groups if other == title]
        cell = ["layout", "direction", axis]
        together = pd.concat(mine).drop_duplicates([*cell, "value"])
        if together.duplicated(cell).any():
            yield from ((f"{title}\n{group['sweep'].iloc[0]}", group) for group in mine)
        else:
            yield title, together


def _title(values: dict[str, Any], follows: bool) -> str:
    words = [HELD[name].format(value) for name, value in values.items()]
    return ", ".join([*words, "experts as ranks"] if follows else words)


def _rows(chosen: list[Panel]) -> list[tuple[str, list[Panel]]]:
    """Panels of each row, and the direction that it shows: all of one, or every panel once."""
    found = {name for panel in chosen for name in panel.cells["direction"]}
    directions = [name for name in layouts.DIRECTIONS if name in found]
    if len(directions) > 1:
        return [(direction, chosen) for direction in directions]
    firsts = range(0, len(chosen), SIDE_BY_SIDE)
    return [(directions[0], chosen[first : first + SIDE_BY_SIDE]) for first in firsts]


def _line(axes: Axes, mine: pd.DataFrame, layout: str, axis: str) -> None:
    """Line, intervals, and markers that are hollow where ranks outnumber cores."""
    xs, ys, lows, highs = (mine[name].to_numpy(float) for name in (axis, "value", "low", "high"))
    axes.plot(xs, ys, lw=1.4, gid=f"line {layout}", **layouts.line(layout))
    axes.vlines(xs, lows, highs, color=layouts.look(layout).colour, lw=3.2, alpha=0.45)
    for is_hollow in (False, True):
        here = mine["oversubscribed"].to_numpy(bool) == is_hollow
        axes.plot(xs[here], ys[here], ls="", ms=5.5, **layouts.point(layout, is_hollow))


def _scale(axes: Axes, which: str, values: "pd.Series[float]") -> None:
    """A logarithmic axis where values span decades; ticks of an x axis stand at its values."""
    known = values.dropna()
    if len(known) and known.max() / known.min() >= LOG_FROM:
        axes.set(**{f"{which}scale": "log"})
    own = axes.xaxis if which == "x" else axes.yaxis
    if which == "x":
        own.set_major_locator(_ticks(sorted(known.unique())))
        own.set_minor_locator(NullLocator())
        own.set_tick_params(labelsize=11 if known.nunique() <= MANY_TICKS else 9)
        own.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _ticks(values: list[float]) -> FixedLocator:
    return FixedLocator(values if len(values) <= 8 else values[:: int(np.ceil(len(values) / 8))])
