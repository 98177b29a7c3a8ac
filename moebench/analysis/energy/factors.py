"""One number of the shape at a time: what more experts, width, layers or choices change.

Sizes whose shapes differ in one number only are compared. Where all numbers grow together, as they
did in the published sizes, there are none: what a size does and what sparsity does is then one.
"""

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import pandas as pd

from moebench import tables
from moebench.analysis.energy.costs import ACTIVE, DENSE, DENSE_KERNEL, MIXTURE, places
from moebench.analysis.energy.derived_schemas import FACTORS
from moebench.analysis.energy.ladder import ratio

SHAPE = ("num_experts", "width", "num_layers", "top_k")


class Step(NamedTuple):
    """Two sizes that differ in one number of their shape, and that number in both."""

    factor: str
    size: str
    larger_size: str
    value: int
    larger_value: int


def factors(windows: pd.DataFrame) -> pd.DataFrame:
    """One line per step, baseline, kernel and place.

    ``ratio`` is the saving at the larger value over that at the smaller one, where a saving is the
    cost of the dense network over that of the mixture, both sized alike; above 1 it grows.
    """
    steps = list(_steps(shapes(windows)))
    lines = []
    for place in places(windows):
        for baseline, kernel in itertools.product((DENSE, ACTIVE), place.kernels):
            pair = (baseline, DENSE_KERNEL), (MIXTURE, kernel)
            known = set(place.sizes(*pair))
            names = {"baseline": baseline, "kernel": kernel}
            for step in steps:
                if {step.size, step.larger_size} <= known:
                    gain_B2 = place.gain(*pair, [step.size, step.larger_size])
                    change_B = gain_B2[:, 1] - gain_B2[:, 0]
                    told = ratio(change_B[~pd.isna(change_B)])
                    lines.append({**place.facts, **names, **step._asdict(), **told})
    return tables.check(pd.DataFrame(lines, columns=list(FACTORS.columns)), FACTORS)


def shapes(windows: pd.DataFrame) -> pd.DataFrame:
    """Shape of the mixture of each size, the smallest number of parameters first."""
    mixtures = windows[windows["network"] == MIXTURE]
    found = mixtures.groupby("size")[[*SHAPE, "num_params"]].first().astype(float)
    return found.sort_values("num_params", kind="stable")


def is_ladder(shapes: pd.DataFrame) -> bool:
    """Whether each size has more parameters than the one before, and no number of its shape falls.

    Only then is there a size from which on something holds.
    """
    step = shapes.diff().iloc[1:]
    return bool((step["num_params"] > 0).all() and not (step[list(SHAPE)] < 0).any(axis=None))


def _steps(shapes: pd.DataFrame) -> Iterator[Step]:
    known = {str(size): shape for size, shape in shapes[list(SHAPE)].to_dict("index").items()}
    for one, other in itertools.combinations(known, 2):
        differing = [name for name in SHAPE if known[one][name] != known[other][name]]
        if len(differing) == 1:
            [factor] = differing
            smaller, larger = sorted((one, other), key=lambda size: known[size][factor])
            values = (int(known[size][factor]) for size in (smaller, larger))
            yield Step(factor, smaller, larger, *values)
