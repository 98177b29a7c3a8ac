"""Published numbers of adapters on OLMoE, as data, each row with its source."""

from pathlib import Path
from typing import Any

import pandas as pd
import pandera.pandas as pa

from moebench import tables

# Of OLMoE-1B-7B-0924: one adapter of rank 1 on all 16 layers, hidden size 2048; experts a token.
PARAMS_PER_RANK = 16 * 2 * 2048
BASE_TOP_K = 8


def _meets(table: pd.DataFrame) -> "pd.Series[float]":
    """Adapters that one token meets."""
    by_variant: Any = table["variant"].map({"single": 1, "embedded": BASE_TOP_K})
    return table["top_k"].astype(float).fillna(by_variant)


def _activated(table: pd.DataFrame) -> "pd.Series[bool]":
    params = PARAMS_PER_RANK * table["rank"] * _meets(table)
    return params == table["num_activated_lora_params"]


def _efficiency(table: pd.DataFrame) -> "pd.Series[bool]":
    share = (table["top_k"] / table["num_adapters"]).astype(float).fillna(1.0)
    return (share * table["rank"] / 16 - table["published_efficiency"]).abs() < 1e-12


POSITIVE = pa.Check.gt(0)
SCHEMA = pa.DataFrameSchema(
    {
        "variant": pa.Column(str, pa.Check.isin(["single", "routed", "embedded"])),
        "rank": pa.Column(int, POSITIVE),
        "num_adapters": pa.Column("Int64", POSITIVE, nullable=True),
        "top_k": pa.Column("Int64", POSITIVE, nullable=True),
        "repeat": pa.Column(int, POSITIVE),
        "published_variant": pa.Column(str, unique=True),
        "eval_loss_nats": pa.Column(float, POSITIVE),
        "own_aux_loss_nats": pa.Column(float, pa.Check.ge(0)),
        "published_efficiency": pa.Column(float, POSITIVE),
        "num_activated_lora_params": pa.Column(int, POSITIVE),
        "num_trainable_lora_params": pa.Column(int, POSITIVE),
        "source": pa.Column(str, pa.Check.str_length(min_value=1)),
    },
    checks=[
        pa.Check(_activated, error="activated parameters do not follow from variant and rank"),
        pa.Check(_efficiency, error="the published efficiency does not follow from its formula"),
    ],
    unique=["variant", "rank", "num_adapters", "top_k", "repeat"],
    coerce=True,
    strict=True,
    name="published PERFT numbers",
)


def read(path: str | Path) -> pd.DataFrame:
    """Read the table of published adapters; TableError says what in it cannot be."""
    return tables.read(path, SCHEMA)
