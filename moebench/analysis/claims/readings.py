"""Tables as claims read them: every number with what it may be, as draws around its estimate.

Published numbers are taken as printed. In a table of this run the spread of a number comes from

* its seeds, where a table has one row per seed: draws of the block model, so that what a seed does
  to all arms is no difference between them (``moebench.analysis.blocks``);
* its 95 % interval, where the table has the ends: normal on either side, and on a logarithmic scale
  where both ends are above 0;
* nothing, where it is a whole number or a setting: those are counted or chosen, not sampled.

Any other number is a single reading whose spread nobody knows: its draws are NaN, and no comparison
with it can support or refute anything.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from moebench.analysis import cells
from moebench.analysis.blocks import block_draws
from moebench.analysis.statistics import CONFIDENCE, Array

NUM_DRAWS = 4000
# Ends of intervals whose names do not follow from that of their quantity.
ENDS = {
    "median_duration_s": ("median_low_s", "median_high_s"),
    "mean_duration_s": ("mean_low_s", "mean_high_s"),
}


@dataclass(frozen=True)
class Readings:
    """Rows with their estimates, and draws (rows, D) of the columns that scatter."""

    frame: pd.DataFrame
    draws: dict[str, Array]
    num_draws: int

    def column(self, name: str, rows: NDArray[np.intp]) -> Array:
        """Estimates of some rows, each followed by its draws: (rows, 1 + D)."""
        point_R1 = self.frame[name].iloc[rows].to_numpy(float, na_value=np.nan)[:, None]
        if name in self.draws:
            return np.hstack([point_R1, self.draws[name][rows]])
        exact = pd.api.types.is_integer_dtype(self.frame[name]) or name in cells.setting_names()
        spread_RD = np.broadcast_to(point_R1 if exact else np.nan, (len(point_R1), self.num_draws))
        return np.hstack([point_R1, spread_RD])


def published(named: Sequence[tuple[str, pd.DataFrame]]) -> Readings:
    """Published tables, one below the other; column ``experiment`` has their names."""
    frames = [_with_experiment(name, table) for name, table in named]
    return Readings(pd.concat(frames, ignore_index=True), {}, 0)


def measured(named: Sequence[tuple[str, pd.DataFrame, pd.DataFrame | None]]) -> Readings:
    """Tables of this run, one below the other, each with the spread of its numbers.

    The third of each is the table's summary, if it has one: what is the same in all seeds of an
    arm, such as its speed, was measured once for all of them and has its interval there.
    """
    parts = [_spread(name, _with_experiment(name, table), other) for name, table, other in named]
    frame = pd.concat([part.frame for part in parts], ignore_index=True)
    scattered = sorted({name for part in parts for name in part.draws})
    draws = {
        name: np.vstack(
            [part.draws.get(name, np.full((len(part.frame), NUM_DRAWS), np.nan)) for part in parts]
        )
        for name in scattered
    }
    return Readings(frame, draws, NUM_DRAWS)


def _with_experiment(name: str, table: pd.DataFrame) -> pd.DataFrame:
    return table if "experiment" in table else table.assign(experiment=name)


def _spread(name: str, table: pd.DataFrame, summary: pd.DataFrame | None) -> Readings:
    if "seed" in table:
        return _over_seeds(name, table, summary)
    return Readings(table.reset_index(drop=True), _of_intervals(name, table), NUM_DRAWS)


def _of_intervals(name: str, table: pd.DataFrame) -> dict[str, Array]:
    """Draws of every column that has an interval."""
    draws = {}
    for column in map(str, table.select_dtypes("number")):
        low, high = ENDS.get(column, (f"{column}_low", f"{column}_high"))
        if low in table and high in table:
            ends = table[[low, column, high]].to_numpy(float, na_value=np.nan)
            draws[column] = _around(ends.T, _rng(name, column))
    return draws


def _over_seeds(name: str, table: pd.DataFrame, summary: pd.DataFrame | None) -> Readings:
    """One row per arm: means over seeds, and draws of the block model."""
    identity = _identity(table)
    keyed = table.assign(arm_key=_key(table, identity))
    first = keyed.drop_duplicates("arm_key").set_index("arm_key")
    draws = {}
    for column in table.select_dtypes("float").columns.difference(cells.setting_names()):
        x_AS = keyed.pivot(index="arm_key", columns="seed", values=column).reindex(first.index)
        first[column] = x_AS.mean(axis=1, skipna=False)
        draws[column] = _block_draws(x_AS, _rng(name, column))
    if summary is not None:
        at_A = pd.Index(_key(summary, identity)).get_indexer(first.index)
        assert (at_A >= 0).all(), f"the summary of {name} lacks an arm"
        once = [column for column in draws if np.isnan(draws[column]).all()]
        known = _of_intervals(name, summary)
        draws |= {column: known[column][at_A] for column in once if column in known}
    return Readings(first.reset_index(drop=True), draws, NUM_DRAWS)


def _block_draws(x_AS: pd.DataFrame, rng: np.random.Generator) -> Array:
    """Draws (A, D); NaN for an arm without values, and for what no seed changes in any arm."""
    draws_AD = np.full((len(x_AS), NUM_DRAWS), np.nan)
    whole = x_AS.notna().all(axis=1).to_numpy()
    if whole.any() and x_AS[whole].nunique(axis=1).max() > 1:
        draws_AD[whole] = block_draws(x_AS[whole].to_numpy(), rng, NUM_DRAWS)
    return draws_AD


def _key(table: pd.DataFrame, identity: Sequence[str]) -> "pd.Series[str]":
    return table[list(identity)].astype(object).map(str).agg(" ".join, axis=1)


def _identity(table: pd.DataFrame) -> list[str]:
    """Columns that tell arms apart."""
    if "arm" in table:
        return ["arm"]
    known = [name for name in cells.setting_names() if name in table]
    return ["router", *cells.swept(table, known)]


def _around(ends_3R: Array, rng: np.random.Generator) -> Array:
    """Draws (R, D) whose 95 % interval is the one given: low ends, values and high ends."""
    z_RD = rng.standard_normal((ends_3R.shape[1], NUM_DRAWS))
    positive_R: NDArray[np.bool_] = np.all(ends_3R > 0, axis=0)
    scaled_3R = np.where(positive_R, np.log(np.where(positive_R, ends_3R, 1.0)), ends_3R)
    down_R, up_R = np.diff(scaled_3R, axis=0) / stats.norm.ppf((1 + CONFIDENCE) / 2)
    draws_RD: Array = scaled_3R[1][:, None] + z_RD * np.where(
        z_RD > 0, up_R[:, None], down_R[:, None]
    )
    draws_RD[positive_R] = np.exp(draws_RD[positive_R])
    return draws_RD


def _rng(*names: Any) -> np.random.Generator:
    """Of its own for every column, so that the draws of one do not depend on which are read."""
    return np.random.default_rng(zlib.crc32(" ".join(names).encode()))
