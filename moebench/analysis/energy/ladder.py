"""The ladder of kernels: how much of a saving is the mixture, and how much its implementation.

A ratio is a cost over another one: 2 means that the second spends half. From the dense network to
the best kernel is what the architecture gives; from there to other kernels is what a loop takes.
"""

import numpy as np
import pandas as pd

from moebench import tables
from moebench.analysis.energy.costs import ACTIVE, DENSE, DENSE_KERNEL, MIXTURE, Arm, Place, places
from moebench.analysis.energy.derived_schemas import GAINS
from moebench.analysis.statistics import Array, mean_interval

BEST = "grouped"  # the kernel whose cost stands for the architecture's
ARCHITECTURE, IMPLEMENTATION, BOTH = "architecture", "implementation", "both"


def ladder(windows: pd.DataFrame) -> pd.DataFrame:
    """One line per rung, size and place: the ratio of two costs with its interval over blocks."""
    lines = [
        {**place.facts, **_names(first, second), "size": size, **ratio(gain_B)}
        for place in places(windows)
        for first, second in _rungs(place)
        for size in place.sizes(first, second)
        if len(gain_B := place.gain(first, second, [size])[:, 0])
    ]
    return tables.check(pd.DataFrame(lines, columns=list(GAINS.columns)), GAINS)


def _rungs(place: Place) -> list[tuple[Arm, Arm]]:
    mixtures = [(MIXTURE, kernel) for kernel in place.kernels]
    pairs = [((dense, DENSE_KERNEL), mixture) for dense in (DENSE, ACTIVE) for mixture in mixtures]
    best = (MIXTURE, BEST)
    if best in mixtures:
        pairs += [(mixture, best) for mixture in mixtures if mixture != best]
    return pairs


def _names(first: Arm, second: Arm) -> dict[str, str]:
    return {
        "part": _part(first[0], second[1]),
        "baseline": first[0],
        "baseline_kernel": first[1],
        "kernel": second[1],
    }


def _part(baseline: str, kernel: str) -> str:
    if baseline == MIXTURE:
        return IMPLEMENTATION
    return ARCHITECTURE if kernel == BEST else BOTH


def ratio(gain_B: Array) -> dict[str, object]:
    """The exponential of a mean over blocks with its interval, and which side that favours."""
    interval = mean_interval(gain_B)
    low, high = float(interval.low), float(interval.high)
    return {
        "ratio": float(np.exp(gain_B.mean())),
        "ratio_low": np.exp(low),
        "ratio_high": np.exp(high),
        "better": None
        if np.isnan(low)
        else "second"
        if low > 0
        else "first"
        if high < 0
        else "tie",
        "num_blocks": len(gain_B),
    }
