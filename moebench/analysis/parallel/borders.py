"""Borders: which layout the model expects to be fastest, on a fine grid of batch and width."""

import numpy as np
import pandas as pd

from moebench import tables
from moebench.analysis.parallel.derived import BORDERS, SIZE
from moebench.analysis.parallel.links import Links
from moebench.analysis.parallel.model import Model, with_cores

NUM_POINTS = 33  # of each axis, evenly spaced on a log scale
PANEL = [name for name in SIZE if name not in ("batch_size", "feature_dim")]


def borders(cells: pd.DataFrame, model: Model, links: Links) -> pd.DataFrame:
    """One line per point of the grid between the smallest and the largest batch and width measured.

    Only where at least two of each were measured, and only layouts that were measured there, so
    that the model is asked for nothing beyond what it was fitted between.
    """
    found = [_grid(group, model, links) for _, group in cells.groupby(PANEL, sort=True)]
    drawn = [grid for grid in found if grid is not None]
    table = pd.concat(drawn) if drawn else pd.DataFrame(columns=list(BORDERS.columns))
    return tables.check(table[list(BORDERS.columns)], BORDERS)


def _grid(measured: pd.DataFrame, model: Model, links: Links) -> pd.DataFrame | None:
    if min(measured["batch_size"].nunique(), measured["feature_dim"].nunique()) < 2:
        return None
    one_each = measured.drop_duplicates("layout")
    points = pd.MultiIndex.from_product(
        [_spaced(measured["batch_size"]), _spaced(measured["feature_dim"])],
        names=["batch_size", "feature_dim"],
    ).to_frame(index=False)
    grid = points.merge(one_each.drop(columns=["batch_size", "feature_dim"]), how="cross")
    grid["predicted_duration_s"] = model.duration_s(with_cores(grid), links)
    known = grid.dropna(subset=["predicted_duration_s"])
    if known.empty:
        return None
    best = known.loc[known.groupby(list(SIZE))["predicted_duration_s"].idxmin()]
    return best.rename(columns={"layout": "predicted_fastest_layout"})


def _spaced(values: "pd.Series[int]") -> list[int]:
    grid = np.geomspace(values.min(), values.max(), NUM_POINTS)
    return sorted({int(round(value)) for value in grid})
