"""Estimated energy, from declared constants: in a table of its own, and in no other.

J = static_w * seconds + flop_j * FLOP + byte_j * bytes, with the ends of every constant's range.
It says what the constants say, not what a device draws: no crossover and no claim is made of it.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from moebench import tables
from moebench.analysis.energy.schemas import CELL, ESTIMATE


def estimate(windows: pd.DataFrame, constants: Mapping[str, Any]) -> pd.DataFrame:
    """One line per cell: joules of an inference from low to high, from its median rate."""
    cells = windows.groupby(list(CELL), sort=True)
    table = cells.agg(
        num_params=("num_params", "first"),
        inferences_per_s=("inferences_per_s", "median"),
        flops=("flops", "first"),
        bytes=("bytes", "first"),
    ).reset_index()
    for end in ("low", "high"):
        table[f"estimated_energy_{end}_j"] = (
            constants["static_w"][end] / table["inferences_per_s"]
            + constants["flop_j"][end] * table["flops"]
            + constants["byte_j"][end] * table["bytes"]
        )
    table["energy_status"] = "estimated"
    table["source"] = constants["source"]
    return tables.check(table, ESTIMATE)
