"""Crossovers of our own windows: for each kernel, batch, number type and boundary."""

import pandas as pd

from moebench import tables
from moebench.analysis.energy.costs import ACTIVE, DENSE, DENSE_KERNEL, MIXTURE, Arm, Place, places
from moebench.analysis.energy.crossover import cross_over
from moebench.analysis.energy.derived_schemas import CROSSOVER
from moebench.analysis.energy.factors import is_ladder, shapes
from moebench.analysis.energy.quality import UNKNOWN, YES, learning


def crossovers(windows: pd.DataFrame) -> pd.DataFrame:
    """One line per quantity, baseline, kernel and place with two sizes or more.

    None where the sizes are no ladder: then nothing holds from a size on. Energy has lines only
    where joules were measured; time has them on every machine.
    """
    lines = []
    known = shapes(windows)
    for place in places(windows):
        for baseline in (DENSE, ACTIVE):
            for kernel in place.kernels:
                pair = (baseline, DENSE_KERNEL), (MIXTURE, kernel)
                sizes = place.sizes(*pair)
                if len(sizes) >= 2 and is_ladder(known.loc[sizes]):
                    names = {"baseline": baseline, "kernel": kernel}
                    lines.append({**place.facts, **names, **_found(place, *pair, sizes)})
    return tables.check(pd.DataFrame(lines, columns=list(CROSSOVER.columns)), CROSSOVER)


def _found(place: Place, dense: Arm, mixture: Arm, sizes: list[str]) -> dict[str, object]:
    costs = place.costs[place.costs["size"].isin(sizes)]
    dense_costs, mixture_costs = (
        costs[(costs["network"] == arm[0]) & (costs["kernel"] == arm[1])]
        for arm in (dense, mixture)
    )
    num_params_S = mixture_costs.groupby("size")["num_params"].first()[sizes].to_numpy(float)
    gain_BS = place.gain(dense, mixture, sizes)
    crossover = cross_over(num_params_S, gain_BS)
    compared = pd.concat([dense_costs, mixture_costs])
    states = set(learning(compared["train_accuracy"], compared["is_at_chance"]))
    return {
        "crossover_params": crossover.num_params,
        "crossover_params_low": crossover.low,
        "crossover_params_high": crossover.high,
        "verdict": crossover.verdict,
        "num_blocks": len(gain_BS),
        "num_sizes": len(sizes),
        "smallest_params": int(num_params_S[0]),
        "largest_params": int(num_params_S[-1]),
        "all_learned": None if UNKNOWN in states else states == {YES},
    }
