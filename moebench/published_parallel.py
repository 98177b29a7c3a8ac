"""Published durations of parallel layouts: two reports on replicated, sharded and spread experts.

What a report does not state is null. Where the reports disagree with themselves stands in the data:
one configuration has as many rows as the tables that hold it.
"""

from pathlib import Path

import pandas as pd
import pandera.pandas as pa

from moebench import tables

CELL = ["world_size", "num_experts", "batch_size", "top_k"]


def _covers_minimum(table: pd.DataFrame) -> "pd.Series[bool]":
    largest = table["published_max_duration_s"]
    return largest.isna() | (largest >= table["published_duration_s"])


COUNT = pa.Check.ge(1)
POSITIVE = pa.Check.gt(0)
SCHEMA = pa.DataFrameSchema(
    {
        "document": pa.Column(str, pa.Check.isin(["first", "second"])),
        "table": pa.Column(
            str, pa.Check.isin(["batch_size", "top_k", "feature_dim", "world_size"])
        ),
        "layout": pa.Column(str),
        "published_layout": pa.Column(str, pa.Check.isin(["Simple", "TP", "EP"])),
        "world_size": pa.Column(int, COUNT),
        "num_experts": pa.Column(int, COUNT),
        "batch_size": pa.Column(int, COUNT),
        "top_k": pa.Column(int, COUNT),
        "feature_dim": pa.Column("Int64", COUNT, nullable=True),
        "published_top_k": pa.Column(int, COUNT),
        "hidden_dim": pa.Column("Int64", COUNT, nullable=True),
        "output_dim": pa.Column("Int64", COUNT, nullable=True),
        "statistic": pa.Column(str, pa.Check.isin(["minimum", "mean_of_10"])),
        "published_duration_s": pa.Column(float, POSITIVE),
        "published_max_duration_s": pa.Column(float, POSITIVE, nullable=True),
        "published_max_memory_mb": pa.Column(float, POSITIVE, nullable=True),
        "published_throughput_samples_per_s": pa.Column(float, POSITIVE, nullable=True),
        "source": pa.Column(str, pa.Check.str_length(min_value=1)),
    },
    checks=pa.Check(_covers_minimum, error="the longest call is shorter than the shortest"),
    unique=["document", "table", "published_layout", *CELL, "feature_dim"],
    strict=True,
    coerce=True,
    name="published durations",
)


def read(path: str | Path) -> pd.DataFrame:
    """Read a table of published durations; TableError says what in it cannot be."""
    return tables.read(path, SCHEMA)
