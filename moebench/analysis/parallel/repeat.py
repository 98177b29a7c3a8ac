"""Repeatability: the same cells measured twice, and how far apart their medians are."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from moebench.analysis.parallel.schemas import CELL

WITHIN = 0.15


class Repeat(NamedTuple):
    """What two measurements of the same cells have in common."""

    num_cells: int
    share_within: float  # cells whose medians differ by at most WITHIN of the smaller one
    median_ratio: float  # later median over earlier median
    largest_ratio: float  # larger over smaller median, of the cell where this is largest
    worst_cell: str

    def __str__(self) -> str:
        return (
            f"{self.share_within:.0%} of {self.num_cells} cells have medians within "
            f"{WITHIN:.0%} of each other; the median ratio is {self.median_ratio:.2f}, "
            f"the largest {self.largest_ratio:.2f} ({self.worst_cell})"
        )


def compare(now: pd.DataFrame, before: pd.DataFrame) -> Repeat:
    """Compare the cells that two tables share; ValueError where there are none."""
    keys = list(CELL)
    once = [table.drop_duplicates(keys) for table in (now, before)]
    both = once[0].merge(once[1], on=keys, suffixes=("_now", "_before"))
    if both.empty:
        raise ValueError("the two measurements share no cell; compare two runs of one sweep")
    ratio = (both["median_duration_s_now"] / both["median_duration_s_before"]).to_numpy()
    apart = np.maximum(ratio, 1 / ratio)
    worst = both.loc[int(np.argmax(apart)), keys]
    return Repeat(
        num_cells=len(both),
        share_within=float((apart <= 1 + WITHIN).mean()),
        median_ratio=float(np.median(ratio)),
        largest_ratio=float(apart.max()),
        worst_cell=" ".join(str(value) for value in worst),
    )
