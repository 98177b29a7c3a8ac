"""Cells: one line per network, batch, number type, device and boundary, with what it came to."""

import numpy as np
import pandas as pd

from moebench import tables
from moebench.analysis.energy.boundaries import TIME
from moebench.analysis.energy.costs import (
    ENERGY,
    NETWORK,
    WHERE,
    WITH_JOULES,
    block_costs,
    replicates,
    usable,
)
from moebench.analysis.energy.derived_schemas import CELLS
from moebench.analysis.energy.quality import learning
from moebench.analysis.energy.roofline import with_roofs
from moebench.analysis.statistics import mean_interval

KEY = [*NETWORK, *WHERE]
# Same in every window of a cell.
FACTS = [
    "num_params",
    "num_active_params",
    "flops",
    "bytes",
    "train_accuracy",
    "heldout_accuracy",
    "heldout_nll_nats",
    "is_at_chance",
    "blocks_are",
]
RATE = {TIME: "inferences_per_s", ENERGY: "inferences_per_j"}


def cells(windows: pd.DataFrame) -> pd.DataFrame:
    """Summarise windows; a cell without a usable one keeps its line, with its reason and no rates.

    Rates are geometric means over blocks, intervals Student's t over blocks in the logarithm.
    """
    windows = replicates(windows)
    grouped = windows.groupby(KEY, sort=False)
    table = grouped[FACTS].first().join([_counts(windows), _status(windows), _power(windows)])
    table = table.join([_rates(windows, TIME), _rates(windows, ENERGY)]).reset_index()
    table["energy_delay_j_s"] = 1 / (table["inferences_per_j"] * table["inferences_per_s"])
    table["learning"] = learning(table["train_accuracy"], table["is_at_chance"])
    table = with_roofs(table)
    return tables.check(table[list(CELLS.columns)], CELLS)


def _counts(windows: pd.DataFrame) -> pd.DataFrame:
    counted = windows.assign(
        has_joules=windows["energy_status"].isin(WITH_JOULES),
        is_invalid=windows["energy_status"].eq("invalid"),
    ).groupby(KEY, sort=False)
    return counted.agg(
        num_blocks=("block", "nunique"),
        num_windows=("block", "size"),
        num_windows_with_energy=("has_joules", "sum"),
        num_windows_invalid=("is_invalid", "sum"),
    )


def _status(windows: pd.DataFrame) -> pd.DataFrame:
    """Status of a cell: that of its joules if any window has some, else why there are none."""
    order = {status: place for place, status in enumerate([*WITH_JOULES, "invalid", "unavailable"])}
    ranked = windows.assign(rank=windows["energy_status"].map(order).fillna(len(order)))
    first = ranked.sort_values("rank", kind="stable").groupby(KEY, sort=False)
    told = first[["energy_status", "energy_method", "energy_reason"]].nth(0)
    return ranked.loc[told.index, KEY].join(told).set_index(KEY)


def _power(windows: pd.DataFrame) -> "pd.Series[float]":
    """Mean power: all joules over all seconds of the windows that count."""
    kept = usable(windows, ENERGY).groupby(KEY, sort=False)[["energy_j", "duration_s"]].sum()
    return (kept["energy_j"] / kept["duration_s"]).rename("power_w")


def _rates(windows: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """Inferences per second or per joule, with the interval of the mean over blocks."""
    name = RATE[quantity]
    lines = {}
    for key, mine in block_costs(windows, quantity).groupby(KEY, sort=False):
        log_rate_B = -mine["log_cost"].to_numpy(float)
        interval = mean_interval(log_rate_B)
        lines[key] = np.exp([log_rate_B.mean(), float(interval.low), float(interval.high)])
    columns = [name, f"{name}_low", f"{name}_high"]
    index = pd.MultiIndex.from_tuples(list(lines), names=KEY)
    return pd.DataFrame(list(lines.values()), index=index, columns=columns, dtype=float)
