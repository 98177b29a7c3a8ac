"""What the tables of the capacity room may hold.

A row is one routing at one capacity and drop policy. Rates are means over rounds, each of which had
a routing of its own; times are medians over rounds. Null stands for what does not exist: the
capacity of a layout that drops nothing, the router of a routing that nobody trained.
"""

import pandas as pd
import pandera.pandas as pa

from moebench.analysis.columns import (
    Columns,
    conserves,
    count,
    encloses,
    interval,
    positive,
    real,
    text,
)

ROUTINGS = ("normal", "zipf", "trace")
POLICIES = ("position", "gate", "none")

# What tells one cell from another, in the order in which tables are sorted.
CELL = ("routing", "router", "num_experts", "top_k", "policy", "capacity_factor")


def _has_capacity_unless_dropless(table: pd.DataFrame) -> "pd.Series[bool]":
    is_dropless = table["policy"] == "none"
    drops_nothing = (table["drop_rate"] == 0) & (table["padding_waste"] == 0)
    return (table["capacity"].isna() == is_dropless) & (~is_dropless | drops_nothing)


KEYS: Columns = {
    "routing": pa.Column(str, pa.Check.isin(ROUTINGS)),
    "router": text(nullable=True),
    "num_experts": count(),
    "top_k": count(),
    "policy": pa.Column(str, pa.Check.isin(POLICIES)),
    "capacity_factor": positive(nullable=True),
}

CAPACITY = pa.DataFrameSchema(
    {
        **KEYS,
        "layout": pa.Column(str, pa.Check.isin(("padded", "dropless"))),
        "capacity": count(nullable=True),
        "num_tokens": count(),
        "dim": count(),
        "expert_dim": count(),
        "num_rounds": count(),
        "drop_rate": real(0, 1),
        **interval("drop_rate", low=-1),
        "unrouted_rate": real(0, 1),
        **interval("unrouted_rate", low=-1),
        "max_vio": real(0),
        "padding_waste": real(0, 1),
        "buffer_bytes": count(),
        "peak_allocated_bytes": count(nullable=True),
        "pack_time_s": positive(),
        "pack_tokens_per_s": positive(),
        **interval("pack_tokens_per_s"),
        "layer_time_s": positive(),
        "layer_tokens_per_s": positive(),
        **interval("layer_tokens_per_s"),
    },
    checks=[
        conserves("pack_tokens_per_s", "pack_time_s", "num_tokens"),
        conserves("layer_tokens_per_s", "layer_time_s", "num_tokens"),
        pa.Check(
            _has_capacity_unless_dropless,
            error="what drops nothing has no capacity and no padding, all else has a capacity",
        ),
        *(
            encloses(name, f"{name}_low", f"{name}_high")
            for name in ("drop_rate", "unrouted_rate", "pack_tokens_per_s", "layer_tokens_per_s")
        ),
    ],
    unique=list(CELL),
    coerce=True,
    name="capacity",
)

PUBLISHED = pa.DataFrameSchema(
    {
        "num_experts": count(),
        "top_k": count(),
        "capacity_factor": positive(),
        "num_tokens": count(),
        "dim": count(),
        "published_drop_rate": real(0, 1),
        "published_tokens_per_s": positive(),
        "source": text(),
    },
    unique=["num_experts", "top_k", "capacity_factor"],
    strict=True,
    name="published capacity",
)
