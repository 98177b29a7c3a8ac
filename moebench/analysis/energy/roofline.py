"""Roofline: what limits a network, from counted work and measured time (Williams et al. 2009).

The roofs are those that were reached: the most FLOP/s and the most bytes/s of any cell on the same
device with the same number type. They lie at or below the device's own, so a cell can be farther
from the true roof than from this one, never nearer. Bytes are counted, not measured: what a cache
saved is in the rate.
"""

import numpy as np
import pandas as pd

ON_ROOF = 0.5  # below this share of its roof, something else than the roof takes most of the time


def with_roofs(cells: pd.DataFrame) -> pd.DataFrame:
    """Add rates, intensity, share of the roof and regime to cells with ``flops`` and ``bytes``.

    ``flops`` and ``bytes`` are of one inference.
    """
    table = cells.assign(
        flops_per_byte=cells["flops"] / cells["bytes"],
        flops_per_s=cells["flops"] * cells["inferences_per_s"],
        bytes_per_s=cells["bytes"] * cells["inferences_per_s"],
    )
    reached = table.groupby(["device", "dtype"])[["flops_per_s", "bytes_per_s"]].transform("max")
    roof = np.minimum(reached["flops_per_s"], table["flops_per_byte"] * reached["bytes_per_s"])
    share: pd.Series[float] = table["flops_per_s"] / roof
    ridge = reached["flops_per_s"] / reached["bytes_per_s"]
    under_roof = np.where(table["flops_per_byte"] < ridge, "memory", "compute")
    regime = pd.Series(np.where(share < ON_ROOF, "overhead", under_roof), table.index, dtype="str")
    return table.assign(roof_share=share, regime=regime.where(share.notna()))
