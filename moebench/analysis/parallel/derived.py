"""What the tables may hold that are derived from the cells of the parallel room.

``predicted`` stands in the name of every number that a model gives; all others were measured.
"""

import pandas as pd
import pandera.pandas as pa

from moebench.analysis.columns import Columns, count, positive, real, text
from moebench.analysis.parallel.schemas import CELL, COLLECTIVES, DIRECTIONS, IDENTITY

# One size of the network, on so many ranks, computed in one direction: layouts compete in it.
SIZE = tuple(name for name in CELL if name != "layout")
DIRECTION = pa.Column(str, pa.Check.isin(DIRECTIONS))
SIZED: Columns = {name: IDENTITY[name] for name in SIZE}


def _bandwidth_is_inverse(table: pd.DataFrame) -> "pd.Series[bool]":
    product = table["time_per_byte_s"] * table["bandwidth_bytes_per_s"]
    return table["bandwidth_bytes_per_s"].isna() | ((product - 1).abs() < 1e-9)


LINKS = pa.DataFrameSchema(
    {
        "communicator": text(),
        "collective": pa.Column(str, pa.Check.isin(COLLECTIVES)),
        "world_size": count(),
        "is_oversubscribed": pa.Column(bool),
        "latency_s": real(0),
        "time_per_byte_s": real(0),
        "bandwidth_bytes_per_s": positive(nullable=True),  # null: size made no difference
        "num_sizes": count(),
        "median_relative_error": real(0),
    },
    checks=pa.Check(_bandwidth_is_inverse, error="bandwidth is not 1 / time per byte"),
    unique=["communicator", "collective", "world_size"],
    coerce=True,
    name="parallel links",
)

MODEL = pa.DataFrameSchema(
    {
        "layout": text(),
        "direction": DIRECTION,
        "call_s": real(0),
        "expert_s": real(0),
        "operation_s": real(0),
        "byte_s": real(0),
        "collective_factor": real(0),
        "num_fitted_cells": count(),
        "num_held_out_cells": count(),
        "fitted_median_relative_error": real(0),
        "held_out_median_relative_error": real(0, nullable=True),
    },
    unique=["layout", "direction"],
    coerce=True,
    name="parallel model",
)

REGIMES = pa.DataFrameSchema(
    {
        **SIZED,
        "oversubscribed": pa.Column(bool),
        "num_layouts": count(),
        "fastest_layout": text(),
        "fastest_median_s": positive(),
        "tied_with": text(nullable=True),
        "is_tie": pa.Column(bool),
        "runner_up_layout": text(nullable=True),
        "runner_up_ratio": real(1, nullable=True),
        "predicted_fastest_layout": text(nullable=True),
    },
    unique=list(SIZE),
    coerce=True,
    name="parallel regimes",
)

BORDERS = pa.DataFrameSchema(
    {
        **SIZED,
        "predicted_fastest_layout": text(),
        "predicted_duration_s": positive(),
    },
    unique=list(SIZE),
    coerce=True,
    name="parallel borders",
)

PREDICTIONS = pa.DataFrameSchema(
    {
        "link": text(),
        "scaling": pa.Column(str, pa.Check.isin(["fixed", "per_rank"])),
        "layout": text(),
        "direction": DIRECTION,
        **{
            name: IDENTITY[name]
            for name in SIZE
            if name not in ("communicator", "backend", "direction")
        },
        "predicted_duration_s": positive(),
        "predicted_collectives_s": real(0),
        "predicted_throughput_samples_per_s": positive(),
        "latency_s": positive(),
        "bandwidth_bytes_per_s": positive(),
        "source": text(),
    },
    unique=["link", "scaling", "layout", "direction", "world_size"],
    coerce=True,
    name="parallel predictions",
)

COMPARISON = pa.DataFrameSchema(
    {
        "document": text(),
        "table": text(),
        "published_layout": text(),
        "world_size": count(),
        "num_experts": count(),
        "batch_size": count(),
        "top_k": count(),
        "feature_dim": count(nullable=True),  # as published; null where the report does not say
        "published_duration_s": positive(),
        "role": pa.Column(str, pa.Check.isin(["same design", "done well"])),
        "layout": text(),
        "measured_feature_dim": count(),
        "oversubscribed": pa.Column(bool),
        "median_duration_s": positive(),
        "median_low_s": positive(nullable=True),
        "median_high_s": positive(nullable=True),
        "first_block_ratio": positive(nullable=True),
        "published_over_measured": positive(),
        "source": text(),
    },
    coerce=True,
    name="parallel beside published",
)
