"""From the readings of the capacity room to its table.

Shapes: A cells, R rounds, D draws.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from moebench import tables
from moebench.analysis import statistics
from moebench.analysis.capacity.schemas import CAPACITY, CELL
from moebench.analysis.columns import add_interval
from moebench.analysis.rates import tokens_per_s
from moebench.records import Row

NUM_DRAWS = 2000
SETTINGS = ("num_tokens", "dim", "expert_dim")
TIMES = {"pack_time_s": "pack_tokens_per_s", "layer_time_s": "layer_tokens_per_s"}


def tabulate_capacity(rows: Sequence[Row], rng: np.random.Generator) -> pd.DataFrame:
    """One line per cell; ValueError where a cell lacks a round that another has."""
    read = _readings(rows)
    by_cell = read.groupby(list(CELL), dropna=False, sort=True)
    table = by_cell[[*SETTINGS, "layout", "capacity"]].first()
    table["num_rounds"] = by_cell.size()
    if table["num_rounds"].nunique() > 1:
        raise ValueError(
            "rows of the capacity room are incomplete: cells have "
            f"{sorted(set(table['num_rounds']))} rounds; delete them and run the workflow again"
        )
    for name in ("max_vio", "padding_waste"):
        table[name] = by_cell[name].mean()
    for name in ("buffer_bytes", "peak_allocated_bytes"):
        table[name] = by_cell[name].max()
    for name in ("drop_rate", "unrouted_rate"):
        x_AR = np.stack([group.to_numpy() for _, group in by_cell[name]])
        table[name] = x_AR.mean(axis=1)
        add_interval(table, name, statistics.mean_interval(x_AR))
    for time, rate in TIMES.items():
        time_AR = np.stack([group.to_numpy() for _, group in by_cell[time]])
        _add_speed(table, time, rate, statistics.median_draws(time_AR, rng, NUM_DRAWS))
        table[time] = np.median(time_AR, axis=1)
        table[rate] = [
            tokens_per_s(num, elapsed)
            for num, elapsed in zip(table["num_tokens"], table[time], strict=True)
        ]
    table = table.reset_index().astype({"peak_allocated_bytes": "Int64", "capacity": "Int64"})
    return tables.check(table, CAPACITY)


def _readings(rows: Sequence[Row]) -> pd.DataFrame:
    """One line per cell and round, round by round within a cell, with the rates of each."""
    if not rows:
        raise ValueError("there is no reading of the capacity room; run measure_capacity first")
    read = pd.DataFrame([row.spec | row.values for row in rows])
    read["drop_rate"] = 1 - read["kept"] / read["requested"]
    read["unrouted_rate"] = read["unrouted"] / read["num_tokens"]
    read["padding_waste"] = 1 - read["kept"] / read["num_rows"]
    read["max_vio"] = read["largest_load"] * read["num_experts"] / read["requested"] - 1
    return read.sort_values("round", kind="stable")


def _add_speed(table: pd.DataFrame, time: str, rate: str, draws_AD: statistics.Array) -> None:
    """Interval of a rate from that of its median time: the slower end is the lower rate."""
    low, high = statistics.draws_interval(draws_AD)
    table[f"{rate}_low"] = table["num_tokens"] / high
    table[f"{rate}_high"] = table["num_tokens"] / low
