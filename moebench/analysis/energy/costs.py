"""What an inference costs, in joules or in seconds: one number for each network and block.

The cost of a block is the geometric mean over its windows. Only windows whose joules were measured
or integrated count for energy, and no window that failed its checks counts for anything.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from moebench.analysis.energy.boundaries import TIME
from moebench.analysis.statistics import Array

WITH_JOULES = ("measured", "integrated")  # an estimate is no measurement
ENERGY = "energy"
QUANTITIES = (ENERGY, TIME)
NETWORK = ["size", "network", "kernel"]
WHERE = ["device", "dtype", "batch_size", "boundary"]
DENSE = "dense_total"
ACTIVE = "dense_active"
MIXTURE = "moe"


def replicates(windows: pd.DataFrame) -> pd.DataFrame:
    """The windows with ``block`` as what was repeated: the process, where there are several.

    Windows of one process share its memory and its clocks, so they are no repetitions of each
    other where processes can be compared; with a single one, its blocks are all there is.
    """
    several = windows.groupby("device")["process"].transform("nunique") > 1
    block = windows["block"].where(~several, windows["process"])
    what = pd.Series(np.where(several, "process", "block"), windows.index, dtype="str")
    return windows.assign(block=block, blocks_are=what)


def usable(windows: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """The windows that count for a quantity, with their cost of an inference in ``cost``."""
    if quantity == ENERGY:
        kept = windows[windows["energy_status"].isin(WITH_JOULES)]
        return kept.assign(cost=kept["energy_j"] / kept["inferences"])
    kept = windows[windows["energy_status"] != "invalid"]
    return kept.assign(cost=kept["duration_s"] / kept["inferences"])


def block_costs(windows: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """One line per network, place and block, with ``log_cost``."""
    kept = usable(replicates(windows), quantity)
    kept = kept.assign(log_cost=np.log(kept["cost"]))
    described = kept.groupby([*NETWORK, *WHERE, "block"], sort=False)
    return described.agg(
        log_cost=("log_cost", "mean"),
        blocks_are=("blocks_are", "first"),
        num_params=("num_params", "first"),
        is_at_chance=("is_at_chance", "first"),
        heldout_accuracy=("heldout_accuracy", "first"),
        heldout_nll_nats=("heldout_nll_nats", "first"),
    ).reset_index()


def places(windows: pd.DataFrame) -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
    """Each quantity, device, number type, batch and boundary that has costs, with these costs.

    Time does not depend on the boundary, so it is told once, under the boundary ``time``.
    """
    for quantity in QUANTITIES:
        costs = block_costs(windows, quantity)
        if quantity == TIME:
            costs = costs.assign(boundary=TIME)
            costs = costs.drop_duplicates([*NETWORK, *WHERE, "block"])
        for key, mine in costs.groupby(WHERE, sort=False):
            yield {"quantity": quantity, **dict(zip(WHERE, key, strict=True))}, mine


def by_block_and_size(costs: pd.DataFrame, network: str, kernel: str | None) -> pd.DataFrame:
    """Logarithms of cost of one network, blocks down and sizes across; NaN where one is missing."""
    mine = costs[costs["network"] == network]
    if kernel is not None:
        mine = mine[mine["kernel"] == kernel]
    return mine.pivot(index="block", columns="size", values="log_cost")


def gain_of(baseline_BS: pd.DataFrame, other_BS: pd.DataFrame, sizes: list[str]) -> Array:
    """ln(cost of the baseline / cost of the other) within each block: positive: the other saves."""
    blocks = sorted(set(baseline_BS.index) | set(other_BS.index))
    first = baseline_BS.reindex(index=blocks, columns=sizes)
    gain_BS: Array = (first - other_BS.reindex(index=blocks, columns=sizes)).to_numpy(float)
    return gain_BS[np.isfinite(gain_BS).any(axis=1)]


def sizes_of(costs: pd.DataFrame, *which: tuple[str, str | None]) -> list[str]:
    """Sizes that each of these networks was measured at, smallest mixture first."""
    found = [set(by_block_and_size(costs, *each).columns) for each in which]
    common = set.intersection(*found)
    by_params = costs.groupby("size")["num_params"].max().sort_values()
    return [size for size in by_params.index if size in common]


def kernels_of(costs: pd.DataFrame) -> list[str]:
    """Kernels of mixtures that were measured."""
    return sorted(costs[costs["network"] == MIXTURE]["kernel"].unique())
