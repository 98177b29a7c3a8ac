"""Crossovers of our own windows: for each kernel, batch, number type and boundary."""

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
from moebench.analysis.energy.crossover import cross_over
from moebench.analysis.energy.derived_schemas import CROSSOVER
from moebench.analysis.energy.quality import UNKNOWN, YES, learning


def crossovers(windows: pd.DataFrame) -> pd.DataFrame:
    """One line per quantity, baseline, kernel and place with two sizes or more.

    Energy has lines only where joules were measured; time has them on every machine.
    """
    lines = [
        {**place, "baseline": baseline, "kernel": kernel, **found}
        for place, costs in places(windows)
        for baseline in (DENSE, ACTIVE)
        for kernel in kernels_of(costs)
        for found in _found(costs, baseline, kernel)
    ]
    return tables.check(pd.DataFrame(lines, columns=list(CROSSOVER.columns)), CROSSOVER)


def _found(costs: pd.DataFrame, baseline: str, kernel: str) -> list[dict[str, object]]:
    """The crossover, in a list; nothing where fewer than two sizes have both networks."""
    sizes = sizes_of(costs, (baseline, None), (MIXTURE, kernel))
    if len(sizes) < 2:
        return []
    gain_BS = gain_of(
        by_block_and_size(costs, baseline, None),
        by_block_and_size(costs, MIXTURE, kernel),
        sizes,
    )
    mixture = costs[(costs["network"] == MIXTURE) & (costs["kernel"] == kernel)]
    num_params_S = mixture.groupby("size")["num_params"].first()[sizes].to_numpy(float)
    crossover = cross_over(num_params_S, gain_BS)
    compared = costs[costs["size"].isin(sizes)]
    both = compared[compared["network"].eq(baseline) | compared["kernel"].eq(kernel)]
    states = set(learning(both["heldout_accuracy"], both["is_at_chance"]))
    return [
        {
            "crossover_params": crossover.num_params,
            "crossover_params_low": crossover.low,
            "crossover_params_high": crossover.high,
            "verdict": crossover.verdict,
            "num_blocks": len(gain_BS),
            "blocks_are": costs["blocks_are"].iloc[0],
            "num_sizes": len(sizes),
            "smallest_params": int(num_params_S[0]),
            "largest_params": int(num_params_S[-1]),
            "all_learned": None if UNKNOWN in states else states == {YES},
        }
    ]
