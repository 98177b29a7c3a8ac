"""What an inference costs, in joules or in seconds: one number for each network and block.

The cost of a block is the geometric mean over its windows. Only windows whose joules were measured
or integrated count for energy, and no window that failed its checks counts for anything.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
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
DENSE_KERNEL = "dense"
Arm = tuple[str, str]  # a network and its kernel


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
        train_accuracy=("train_accuracy", "first"),
        heldout_nll_nats=("heldout_nll_nats", "first"),
    ).reset_index()


@dataclass(frozen=True)
class Place:
    """What can be compared: costs of one quantity on one device, in one type, batch and boundary.

    ``log_cost_B`` has the blocks' costs of each (network, kernel, size), NaN where one is missing.
    """

    key: dict[str, Any]
    costs: pd.DataFrame
    log_cost_B: Mapping[tuple[str, str, str], Array]

    @cached_property
    def kernels(self) -> list[str]:
        """Kernels of mixtures that were measured."""
        return sorted({kernel for network, kernel, _ in self.log_cost_B if network == MIXTURE})

    @cached_property
    def facts(self) -> dict[str, Any]:
        """The key, and what the blocks are."""
        return {**self.key, "blocks_are": self.costs["blocks_are"].iloc[0]}

    @cached_property
    def all_sizes(self) -> list[str]:
        """Every size, smallest network first."""
        return list(self.costs.groupby("size")["num_params"].max().sort_values().index)

    def sizes(self, *arms: Arm) -> list[str]:
        """Sizes that each of these arms was measured at, smallest network first."""
        return [
            size for size in self.all_sizes if all((*arm, size) in self.log_cost_B for arm in arms)
        ]

    def gain(self, first: Arm, second: Arm, sizes: Sequence[str]) -> Array:
        """ln(cost of first / cost of second) within blocks (B, S): positive: the second saves.

        NaN where a block lacks one of the two; blocks that lack all are left out.
        """
        one_BS, other_BS = (
            np.column_stack([self.log_cost_B[*arm, size] for size in sizes])
            for arm in (first, second)
        )
        gain_BS: Array = one_BS - other_BS
        return gain_BS[np.isfinite(gain_BS).any(axis=1)]


def places(windows: pd.DataFrame) -> Iterator[Place]:
    """Each quantity, device, number type, batch and boundary that has costs.

    Time does not depend on the boundary, so it is told once, under the boundary ``time``.
    """
    for quantity in QUANTITIES:
        costs = block_costs(windows, quantity)
        if quantity == TIME:
            costs = costs.assign(boundary=TIME)
            costs = costs.drop_duplicates([*NETWORK, *WHERE, "block"])
        for where, mine in costs.groupby(WHERE, sort=False):
            key = {"quantity": quantity, **dict(zip(WHERE, where, strict=True))}
            arms = ["network", "kernel", "size"]
            by_block = mine.pivot(index="block", columns=arms, values="log_cost")
            columns: list[Any] = by_block.columns.to_list()
            yield Place(key, mine, dict(zip(columns, by_block.to_numpy(float).T, strict=True)))
