"""Whether the networks learnt: training curves here, and those that were published."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.gridspec import GridSpec

from moebench.analysis.energy.quality import LEARNED, NUM_CLASSES
from moebench.figures import networks, style
from moebench.figures.against_size import LINE_CHARACTERS, frame
from moebench.figures.base import Figure, Tables, rows
from moebench.figures.notes import join, write_below

CHANCE = 1 / NUM_CLASSES
COLUMNS = 4
NOTE = (
    "Accuracy on the training set, and faint on held-out data, which was not published. "
    "Dotted: chance, one in ten classes."
)
NOTHING = "no network was trained, so no accuracy is known"


class EnergyTraining(Figure):
    """Above the networks of this run, below the published ones, a column for each size."""

    title = "Did the networks learn?"
    columns = {
        "training": (
            "network",
            "kernel",
            "size",
            "epoch",
            "num_params",
            "train_accuracy",
            "heldout_accuracy",
        ),
        "published_training": ("network", "kernel", "size", "epoch", "train_accuracy"),
    }

    may_be_empty = ("training",)

    def draw(self, tables: Tables) -> Canvas:
        """Draw one column per size; a frame that says so where nothing was trained here."""
        ours = _named(tables["training"])
        theirs = _named(tables["published_training"])
        canvas = Canvas(figsize=(style.WIDTH_IN, 6.4))
        grid = canvas.add_gridspec(
            2, COLUMNS, left=0.085, right=0.985, top=0.93, bottom=0.235, hspace=0.42, wspace=0.12
        )
        if ours.empty:
            frame(canvas.add_subplot(grid[0, :]), NOTHING, LINE_CHARACTERS)
        else:
            _row(canvas, grid, 0, ours, "here:\naccuracy")
        _row(canvas, grid, 1, theirs, "published:\naccuracy")
        canvas.legend(
            handles=networks.handles([*ours["name"], *theirs["name"]]),
            loc="lower center",
            bbox_to_anchor=(0.5, 0.06),
            ncols=3,
        )
        write_below(canvas, [NOTE])
        return canvas

    def caption(self, tables: Tables) -> str:
        """Name the networks that end below the threshold of having learnt, here and published."""
        text = [f"Whether the networks learnt. {NOTE}"]
        for table, where in (
            (tables["training"], "Here"),
            (tables["published_training"], "Published data"),
        ):
            if table.empty:
                text.append(f"{where}: {NOTHING}.")
                continue
            last = _named(table).sort_values("epoch").groupby(["size", "name"]).tail(1)
            poor = last[last["train_accuracy"] < LEARNED]
            names = [
                f"{each.size} {networks.label(each.name)} ({each.train_accuracy:.0%})"
                for each in rows(poor)
            ]
            text.append(
                f"{where}: below 80 % at the end: {join(names)}."
                if names
                else f"{where}: every network ends at 80 % or above."
            )
        return " ".join(text)


def _named(training: pd.DataFrame) -> pd.DataFrame:
    """One name for each network; all kernels of a mixture share its training."""
    named = networks.named(training)
    alone = training["network"].ne("moe") | training["kernel"].isin(["naive", "chosen"])
    return named.assign(name=named["name"].where(alone, "moe"))


def _row(canvas: Canvas, grid: GridSpec, row: int, curves: pd.DataFrame, where: str) -> None:
    for column, size in enumerate(_sizes(curves)[:COLUMNS]):
        axes = canvas.add_subplot(grid[row, column])
        _panel(axes, curves[curves["size"] == size])
        axes.set_title(size, size=10.5)
        axes.set_xlabel("epoch" if row else "")
        axes.set_ylabel("" if column else where)
        axes.tick_params(labelleft=column == 0)


def _sizes(training: pd.DataFrame) -> list[str]:
    if "num_params" not in training:  # the published curves stand in the order of their sizes
        return list(dict.fromkeys(training["size"]))
    return list(training.groupby("size")["num_params"].max().sort_values().index)


def _panel(axes: Axes, curves: pd.DataFrame) -> None:
    for name in networks.order(curves["name"]):
        mine = curves[curves["name"] == name].sort_values("epoch")
        axes.plot(mine["epoch"], mine["train_accuracy"], gid=f"curve {name}", **networks.line(name))
        if "heldout_accuracy" in mine:
            heldout = {**networks.line(name), "alpha": 0.4, "lw": 1.2}
            axes.plot(mine["epoch"], mine["heldout_accuracy"], gid=f"held out {name}", **heldout)
        axes.plot(
            mine["epoch"].iloc[-1:],
            mine["train_accuracy"].iloc[-1:],
            ms=6.5,
            **networks.point(name),
        )
    axes.axhline(CHANCE, gid="chance", color="#9a9a9a", ls=":", lw=1.4)
    axes.set_ylim(0, 1.04)
