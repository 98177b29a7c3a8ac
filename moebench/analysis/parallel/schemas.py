"""What the tables of the parallel room may hold.

A duration is that of one call on its slowest rank. ``_low`` and ``_high`` are the ends of 95 %
intervals, null where there are too few blocks for one. The parts of a call come from calls of their
own, slowed by the clocks inside them, and are means over these calls and over ranks.
"""

import pandas as pd
import pandera.pandas as pa

from moebench.analysis.columns import Columns, conserves, count, encloses, positive, real, text
from moebench.analysis.parallel.words import (
    CELL,
    COLLECTIVES,
    DIRECTIONS,
    PARTS,
)

__all__ = ["CELL", "COLLECTIVES", "DIRECTIONS", "PARALLEL", "PARTS"]

IDENTITY: Columns = {
    "sweep": text(),  # that asks for the cell; what several ask for was measured once
    "layout": text(),
    "communicator": text(),
    "backend": text(),
    "world_size": count(),
    "oversubscribed": pa.Column(bool),
    "num_experts": count(),
    "batch_size": count(),
    "top_k": count(),
    "feature_dim": count(),
    "hidden_dim": count(),
    "output_dim": count(),
    "direction": pa.Column(str, pa.Check.isin(DIRECTIONS)),
}


def _marks_oversubscription(table: pd.DataFrame) -> "pd.Series[bool]":
    return table["oversubscribed"] == (table["world_size"] * table["threads"] > table["num_cores"])


PARALLEL = pa.DataFrameSchema(
    {
        **IDENTITY,
        "min_duration_s": positive(),
        "median_duration_s": positive(),
        "mean_duration_s": positive(),
        "mean_low_s": positive(nullable=True),
        "mean_high_s": positive(nullable=True),
        "max_duration_s": positive(),
        "throughput_samples_per_s": positive(),
        "comm_calls": count(),
        "comm_bytes": count(),
        "comm_s": real(0),
        "peak_memory_bytes": count(),  # beyond what the process held before the layout was built
        "predicted_duration_s": positive(nullable=True),
        # Beyond what was asked for, in its order.
        "median_low_s": positive(nullable=True),
        "median_high_s": positive(nullable=True),
        "num_calls": count(),
        "num_blocks": count(),
        "first_block_ratio": positive(nullable=True),  # median of block 0 over that of the others
        "halves_ratio": positive(nullable=True),  # median of later blocks over that of earlier ones
        "warmup_calls": count(),
        "is_stable": pa.Column(bool),  # whether the warm-up ended before its limit
        **{part: real(0, nullable=True) for part in PARTS},
        "peak_resident_bytes": count(),  # of the whole process, libraries included
        "predicted_memory_bytes": count(),
        "predicted_weights_bytes": count(),
        "predicted_activations_bytes": count(),
        "predicted_buffers_bytes": count(),
        "device": text(),
        "dtype": text(),
        "threads": count(),
        "num_cores": count(),
    },
    checks=[
        conserves("throughput_samples_per_s", "median_duration_s", "batch_size"),
        pa.Check(
            _marks_oversubscription,
            error="oversubscribed does not say whether ranks x threads exceed cores",
        ),
        encloses("median_duration_s", "min_duration_s", "max_duration_s"),
        encloses("mean_duration_s", "mean_low_s", "mean_high_s"),
        encloses("median_duration_s", "median_low_s", "median_high_s"),
    ],
    unique=["sweep", *CELL],
    coerce=True,
    name="parallel",
)
