"""What an inference costs at which batch: joules and seconds of one, size by size."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from moebench.analysis.energy.boundaries import headline
from moebench.figures import networks, style, ticks
from moebench.figures.against_size import NO_JOULES, frame, hollow_note, reasons
from moebench.figures.base import Figure, Tables, rows
from moebench.figures.notes import join, write_below

PREFERRED_DTYPE = "f32"
RATES = {"inferences_per_j": "joules per inference", "inferences_per_s": "time of one inference"}


class EnergyBatch(Figure):
    """A column per size; above joules, or an empty frame that says why not; below seconds."""

    title = "What does one inference cost at which batch?"
    columns = {
        "cells": (
            "network",
            "kernel",
            "size",
            "num_params",
            "batch_size",
            "dtype",
            "boundary",
            "energy_reason",
            "inferences_per_s",
            "inferences_per_s_low",
            "inferences_per_s_high",
            "inferences_per_j",
            "inferences_per_j_low",
            "inferences_per_j_high",
            "train_accuracy",
            "learning",
        )
    }

    def draw(self, tables: Tables) -> Canvas:
        """Draw lines over batches, with intervals."""
        cells, sizes = _shown(tables)
        canvas = Canvas(figsize=(style.WIDTH_IN, 6.6))
        grid = canvas.add_gridspec(
            2, len(sizes), left=0.105, right=0.985, top=0.94, bottom=0.25, hspace=0.16, wspace=0.3
        )
        for row, (rate, name) in enumerate(RATES.items()):
            if cells[rate].isna().all():
                axes = canvas.add_subplot(grid[row, :])
                frame(axes, NO_JOULES + reasons(cells), 100)
                axes.set_ylabel(name)
                continue
            for column, size in enumerate(sizes):
                axes = canvas.add_subplot(grid[row, column])
                mine = cells[cells["size"] == size]
                _panel(axes, mine.dropna(subset=[rate]), rate)
                if column == 0:
                    axes.set_ylabel(name)
                if row == len(RATES) - 1:
                    axes.set_xlabel("batch")
                axes.set_title(_title(size, mine) if row == 0 else "", size=10.5)
        if cells["inferences_per_j"].isna().all():
            for axes, size in zip(canvas.axes[1:], sizes, strict=True):
                axes.set_title(_title(size, cells[cells["size"] == size]), size=10.5)
        canvas.legend(
            handles=networks.handles(cells["name"]),
            loc="lower center",
            bbox_to_anchor=(0.5, 0.07),
            ncols=3,
        )
        write_below(canvas, [hollow_note(cells)])
        return canvas

    def caption(self, tables: Tables) -> str:
        """Say which batch costs least for each network at the largest size."""
        cells, sizes = _shown(tables)
        dtype = cells["dtype"].iloc[0]
        text = [f"What one inference costs, against the batch, in {dtype}; both axes logarithmic."]
        rate = "inferences_per_s" if cells["inferences_per_j"].isna().all() else "inferences_per_j"
        if rate == "inferences_per_s":
            text.append(f"{NO_JOULES}{reasons(cells)}.")
        largest = cells[cells["size"] == sizes[-1]].dropna(subset=[rate])
        told = []
        for name in networks.order(largest["name"]):
            best = rows(largest[largest["name"] == name].sort_values(rate))[-1]
            told.append(f"{networks.label(name)} {best.batch_size}")
        if told:
            unit = "joules" if rate == "inferences_per_j" else "seconds"
            text.append(f"Batch with the fewest {unit} at size {sizes[-1]}: {join(told)}.")
        others = sorted(set(tables["cells"]["dtype"]) - {dtype})
        return " ".join([*text, *([f"Not drawn: {join(others)}."] if others else [])])


def _shown(tables: Tables) -> tuple[pd.DataFrame, list[str]]:
    """Cells of one number type under the headline boundary, and their sizes in ascending order."""
    cells = networks.named(headline(tables["cells"]))
    dtypes = sorted(cells["dtype"].unique())
    dtype = PREFERRED_DTYPE if PREFERRED_DTYPE in dtypes else dtypes[0]
    cells = cells[cells["dtype"] == dtype]
    return cells, list(cells.groupby("size")["num_params"].max().sort_values().index)


def _panel(axes: Axes, cells: pd.DataFrame, rate: str) -> None:
    axes.set(xscale="log", yscale="log")
    for name in networks.order(cells["name"]):
        mine = cells[cells["name"] == name].sort_values("batch_size")
        look = networks.point(name, mine["learning"].iloc[0])
        axes.plot(
            mine["batch_size"], 1 / mine[rate], ms=6.5, gid=f"line {name}",
            **{**look, **networks.line(name)},
        )  # fmt: skip
        axes.vlines(
            mine["batch_size"], 1 / mine[f"{rate}_high"], 1 / mine[f"{rate}_low"],
            color=networks.look(name).colour, lw=1.4,
        )  # fmt: skip
    axes.margins(x=0.12)
    ticks.log(axes.yaxis, ticks.seconds if rate == "inferences_per_s" else "{:g}".format)
    ticks.log(axes.xaxis, ticks.number)


def _title(size: str, cells: pd.DataFrame) -> str:
    mixtures = cells[cells["network"] == "moe"]["num_params"]
    largest = (mixtures if len(mixtures) else cells["num_params"]).max()
    return f"{size}, {networks.size(largest)}"
