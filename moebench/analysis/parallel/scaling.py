"""Prediction: what the model expects of 2 to 4096 ranks, each with a core like this machine's.

Nothing here is measured. The costs of a rank are those fitted on this machine; collectives cost
what textbook algorithms need on a link of given latency and bandwidth. Contention, topology and
stragglers are left out, so these times are lower bounds of what a cluster will show.

Algorithms and their times: Thakur, Rabenseifner, Gropp, "Optimization of collective communication
operations in MPICH", doi:10.1177/1094342005051521, sections 4 to 8.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from moebench import tables
from moebench.analysis.parallel import layout_costs
from moebench.analysis.parallel.derived import PREDICTIONS, SIZE
from moebench.analysis.parallel.links import Array, LinksLike, Message
from moebench.analysis.parallel.model import ARM, Model

RANKS = tuple(2**exponent for exponent in range(1, 13))
GROWING = ("batch_size", "num_experts")  # with the ranks, where work per rank stays the same


@dataclass(frozen=True)
class LinkFigures(LinksLike):
    """A link of given latency (s) and bandwidth (bytes/s), the same between any two ranks."""

    latency_s: float
    bandwidth_bytes_per_s: float

    def times_s(self, messages: Sequence[Message], num_cells: int) -> Array:
        """Time (C) of collectives one after the other, each by the faster of its algorithms."""
        total_C = np.zeros(num_cells)
        for collective, bytes_C, ranks_C, calls_C in messages:
            options = ALGORITHMS[collective](ranks_C, bytes_C)
            each_CA = np.stack(
                [
                    steps_C * self.latency_s + moved_C / self.bandwidth_bytes_per_s
                    for steps_C, moved_C in options
                ],
                axis=1,
            )
            total_C += np.where(ranks_C > 1, calls_C * each_CA.min(axis=1), 0.0)
        return total_C


# Steps and bytes moved one way by a rank, of each algorithm, for messages as ``Message`` counts
# them: an all-reduce's summand, a rank's own rows to gather, all summands to scatter, the rows that
# leave a rank in an exchange, the message that is broadcast.
ALGORITHMS = {
    "all_reduce": lambda ranks, size: [
        (np.log2(ranks), size * np.log2(ranks)),  # recursive doubling
        (2 * np.log2(ranks), 2 * size * (ranks - 1) / ranks),  # reduce-scatter, all-gather
    ],
    "all_gather": lambda ranks, size: [(np.log2(ranks), size * (ranks - 1))],
    "reduce_scatter": lambda ranks, size: [(np.log2(ranks), size * (ranks - 1) / ranks)],
    "all_to_all": lambda ranks, size: [
        (ranks - 1, size),  # pairwise
        (np.log2(ranks), size * np.log2(ranks) * ranks / np.maximum(2 * (ranks - 1), 1)),  # Bruck
    ],
    "broadcast": lambda ranks, size: [
        (np.log2(ranks), size * np.log2(ranks)),  # binomial tree
        (np.log2(ranks) + ranks - 1, 2 * size * (ranks - 1) / ranks),  # scatter, all-gather
    ],
}


def predictions(
    cells: pd.DataFrame, model: Model, figures: Mapping[str, Mapping[str, Any]]
) -> pd.DataFrame:
    """One line per link, kind of scaling, layout, direction and number of ranks.

    The work is that of the largest measured cell: ``fixed`` leaves it as it is; ``per_rank`` lets
    batch and experts grow with the ranks, from what two ranks have of it.
    """
    lines = [
        _of_link(name, figure, sized, model)
        for name, figure in figures.items()
        for sized in _sizes(cells, model)
    ]
    table = pd.concat(lines) if lines else pd.DataFrame(columns=list(PREDICTIONS.columns))
    return tables.check(table, PREDICTIONS)


def _of_link(
    name: str, figure: Mapping[str, Any], sized: pd.DataFrame, model: Model
) -> pd.DataFrame:
    links = LinkFigures(figure["latency_s"], figure["bandwidth_bytes_per_s"])
    table = sized.assign(link=name, **figure)
    table["predicted_duration_s"] = model.duration_s(sized, links)
    collectives = pd.Series(0.0, index=sized.index)
    for (layout, direction), group in sized.groupby(ARM, sort=False):
        messages = layout_costs.messages(str(layout), str(direction), group)
        collectives.loc[group.index] = links.times_s(messages, len(group))
    table["predicted_collectives_s"] = collectives
    rate = table["batch_size"] / table["predicted_duration_s"]
    kept = [column for column in PREDICTIONS.columns if column in table]
    return table[kept].assign(predicted_throughput_samples_per_s=rate)


def _sizes(cells: pd.DataFrame, model: Model) -> list[pd.DataFrame]:
    """Cells to predict: the largest measured work, fixed and growing, on each number of ranks.

    None where the model has no costs, as after a sweep too small to hold cells out.
    """
    if not model.costs:
        return []
    size = [name for name in SIZE if name not in ("communicator", "backend", "direction")]
    volume = cells["batch_size"] * cells["feature_dim"] * cells["num_experts"]
    largest = cells[size].iloc[int(volume.argmax())]
    found = []
    for scaling in ("fixed", "per_rank"):
        lines = []
        for layout, direction in model.costs:
            for ranks in RANKS:
                line = dict(largest) | {"layout": layout, "direction": direction}
                line |= {"world_size": ranks, "scaling": scaling, "cores_per_rank": 1.0}
                if scaling == "per_rank":
                    line |= {name: int(largest[name]) * ranks // 2 for name in GROWING}
                lines.append(line)
        found.append(pd.DataFrame(lines))
    return found
