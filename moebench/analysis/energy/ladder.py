"""The ladder of kernels: how much of a saving is the mixture, and how much its implementation.

A ratio is a cost over another one: 2 means that the second spends half. From the dense network to
the best kernel is what the architecture gives; from there to the other kernels is what a loop takes.
"""

import numpy as np
import pandas as pd

from moebench import tables
from moebench.analysis.energy.costs import (
    ACTIVE,
    DENSE,
    MIXTURE,
    by_block_and_size,
    gain_of,
    kernels_of,
    places,
    sizes_of,
)
from moebench.analysis.energy.derived_schemas import GAINS
from moebench.analysis.statistics import Array, mean_interval

BEST = "grouped"  # the kernel whose cost stands for the architecture's
ARCHITECTURE, IMPLEMENTATION, BOTH = "architecture", "implementation", "both"


def ladder(windows: pd.DataFrame) -> pd.DataFrame:
    """One line per rung, size and place: the ratio of two costs with its interval over blocks."""
    lines = [
        {
            **place,
            **rung,
            "size": size,
            "blocks_are": costs["blocks_are"].iloc[0],
            **_ratio(gain_B),
        }
        for place, costs in places(windows)
        for rung, size, gain_B in _rungs(costs)
    ]
    return tables.check(pd.DataFrame(lines, columns=list(GAINS.columns)), GAINS)


def _rungs(costs: pd.DataFrame) -> list[tuple[dict[str, str], str, Array]]:
    kernels = kernels_of(costs)
    pairs = [(dense, None, kernel) for dense in (DENSE, ACTIVE) for kernel in kernels]
    if BEST in kernels:
        pairs += [(MIXTURE, kernel, BEST) for kernel in kernels if kernel != BEST]
    found = []
    for baseline, baseline_kernel, kernel in pairs:
        sizes = sizes_of(costs, (baseline, baseline_kernel), (MIXTURE, kernel))
        first = by_block_and_size(costs, baseline, baseline_kernel)
        second = by_block_and_size(costs, MIXTURE, kernel)
        rung = {
            "part": _part(baseline, kernel),
            "baseline": baseline,
            "baseline_kernel": baseline_kernel or "dense",
            "kernel": kernel,
        }
        for size in sizes:
            found.append((rung, size, gain_of(first, second, [size])[:, 0]))
    return [(rung, size, gain_B) for rung, size, gain_B in found if len(gain_B)]


def _part(baseline: str, kernel: str) -> str:
    if baseline == MIXTURE:
        return IMPLEMENTATION
    return ARCHITECTURE if kernel == BEST else BOTH


def _ratio(gain_B: Array) -> dict[str, object]:
    interval = mean_interval(gain_B)
    low, high = float(interval.low), float(interval.high)
    return {
        "ratio": float(np.exp(gain_B.mean())),
        "ratio_low": np.exp(low),
        "ratio_high": np.exp(high),
        "better": None if np.isnan(low) else "second" if low > 0 else "first" if high < 0 else "tie",
        "num_blocks": len(gain_B),
    }
