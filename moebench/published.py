"""Published numbers: what others reported, as data, each row with its source."""

from pathlib import Path

import pandas as pd
import pandera.pandas as pa

from moebench import registry, tables


def _is_corrected(table: pd.DataFrame) -> "pd.Series[bool]":
    corrected = table["corrected_tokens_per_s_with_validation"]
    published = table["published_tokens_per_s"] / table["published_tokens_per_s_excess_factor"]
    return (corrected / published - 1).abs() < 1e-9


POSITIVE = pa.Check.gt(0)
SCHEMA = pa.DataFrameSchema(
    {
        "router": pa.Column(str),
        "published_router": pa.Column(str),
        "capacity_factor": pa.Column(float, POSITIVE),
        "claimed_rank": pa.Column(int, pa.Check.ge(1)),
        "top_k": pa.Column(int, pa.Check.ge(1)),
        "num_experts": pa.Column(int, pa.Check.ge(1)),
        "dim": pa.Column(int, POSITIVE),
        "num_layers": pa.Column(int, POSITIVE),
        "num_heads": pa.Column(int, POSITIVE),
        "ffn_mult": pa.Column(int, POSITIVE),
        "gate": pa.Column(str, pa.Check.isin(registry.names("gates"))),
        "seq_len": pa.Column(int, POSITIVE),
        "batch_size": pa.Column(int, POSITIVE),
        "num_steps": pa.Column(int, POSITIVE),
        "learning_rate": pa.Column(float, POSITIVE),
        "warmup_steps": pa.Column(int, pa.Check.ge(0)),
        "num_seeds": pa.Column(int, pa.Check.ge(1)),
        "val_nll_nats": pa.Column(float, POSITIVE),
        "val_ppl": pa.Column(float, POSITIVE),
        "train_drop_rate": pa.Column(float, pa.Check.in_range(0, 1), nullable=True),
        "train_load_cv": pa.Column(float, pa.Check.ge(0), nullable=True),
        "train_gate_entropy_nats": pa.Column(float, pa.Check.ge(0), nullable=True),
        "published_tokens_per_s": pa.Column(float, POSITIVE),
        "published_tokens_per_s_excess_factor": pa.Column(float, POSITIVE),
        "corrected_tokens_per_s_with_validation": pa.Column(float, POSITIVE),
        "source": pa.Column(str, pa.Check.str_length(min_value=1)),
    },
    checks=pa.Check(_is_corrected, error="published rate / excess factor is not the corrected"),
    unique=["router", "capacity_factor", "gate"],
    strict=True,
    name="published",
)


def read(path: str | Path) -> pd.DataFrame:
    """Read a table of published routers; TableError says what in it cannot be."""
    return tables.read(path, SCHEMA)
