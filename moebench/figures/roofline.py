"""What limits each network: counted work and measured rate, under the roofs that were reached."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import NullFormatter

from moebench.analysis.energy.boundaries import headline
from moebench.figures import networks, style
from moebench.figures.base import Figure, Tables, rows
from moebench.figures.notes import join, write_below

MOST_PANELS = 3
# Area of a marker grows with the size of the network.
SMALLEST_MARKER, LARGEST_MARKER = 5.0, 11.0


class Roofline(Figure):
    """One panel per number type; larger markers are larger networks."""

    title = "What limits each network?"
    columns = {
        "cells": (
            "network",
            "kernel",
            "size",
            "num_params",
            "batch_size",
            "dtype",
            "boundary",
            "flops_per_byte",
            "flops_per_s",
            "bytes_per_s",
            "roof_share",
            "regime",
        )
    }

    def draw(self, tables: Tables) -> Canvas:
        """Draw the cells and, for each number type, the roofs of its fastest ones."""
        cells = networks.named(_known(tables))
        dtypes = sorted(cells["dtype"].unique())[:MOST_PANELS]
        canvas = Canvas(figsize=(style.WIDTH_IN, 5.6))
        axes_P = canvas.subplots(
            1, len(dtypes), squeeze=False, sharey=True,
            gridspec_kw={"left": 0.095, "right": 0.985, "top": 0.93, "bottom": 0.29,
                         "wspace": 0.08},
        )[0]  # fmt: skip
        for axes, dtype in zip(axes_P, dtypes, strict=True):
            _panel(axes, cells[cells["dtype"] == dtype], _scale(cells))
            axes.set_title(dtype, size=11)
            axes.set_xlabel("counted FLOP per byte")
        axes_P[0].set_ylabel("FLOP/s")
        canvas.legend(
            handles=networks.handles(cells["name"]),
            loc="lower center",
            bbox_to_anchor=(0.5, 0.075),
            ncols=3,
        )
        write_below(canvas, [NOTE])
        return canvas

    def caption(self, tables: Tables) -> str:
        """Say how many cells each regime holds, and which network is how near to its roof."""
        cells = networks.named(_known(tables))
        counts = cells["regime"].value_counts()
        told = [f"{REGIMES[str(regime)]} {number}" for regime, number in counts.items()]
        text = [f"Counted work and measured rate of {len(cells)} cells. Limited by: {join(told)}."]
        for name in networks.order(cells["name"]):
            mine = cells[cells["name"] == name].sort_values("roof_share")
            near = rows(mine)[-1]
            text.append(
                f"{networks.label(name)} reaches {near.roof_share:.0%} of its roof at most "
                f"(size {near.size}, batch {near.batch_size}, {near.dtype})."
            )
        return " ".join([*text, NOTE])


REGIMES = {"compute": "arithmetic", "memory": "memory", "overhead": "neither, so overhead"}
NOTE = (
    "The roofs are the highest rates that any cell here reached, not the device's rated ones. "
    "Bytes are counted once for each weight and activation used; a cache may have saved some. "
    "A larger marker is a larger network."
)


def _known(tables: Tables) -> pd.DataFrame:
    return headline(tables["cells"]).dropna(subset=["flops_per_s"])


def _scale(cells: pd.DataFrame) -> "pd.Series[float]":
    """Diameter of the marker of each cell."""
    size = np.log(cells["num_params"])
    width = max(size.max() - size.min(), 1e-9)
    share: pd.Series[float] = (size - size.min()) / width
    return SMALLEST_MARKER + (LARGEST_MARKER - SMALLEST_MARKER) * share


def _panel(axes: Axes, cells: pd.DataFrame, diameter: "pd.Series[float]") -> None:
    axes.set(xscale="log", yscale="log")
    peak_flops, peak_bytes = cells["flops_per_s"].max(), cells["bytes_per_s"].max()
    ends = [cells["flops_per_byte"].min() / 2, cells["flops_per_byte"].max() * 2]
    x = np.array(sorted({*ends, peak_flops / peak_bytes}))
    axes.plot(x, np.minimum(peak_flops, x * peak_bytes), gid="roof", color="#9a9a9a", lw=2)
    for index, each in zip(cells.index, rows(cells), strict=True):
        axes.plot(
            each.flops_per_byte, each.flops_per_s, ls="", alpha=0.9,
            ms=diameter[index], gid=f"{each.name} {each.size} {each.batch_size}",
            **networks.point(each.name),
        )  # fmt: skip
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xlim(*ends)
