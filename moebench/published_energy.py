"""Published energies of dense networks and mixtures of experts, as data with their source."""

from pathlib import Path

import numpy as np
import pandas as pd
import pandera.pandas as pa

from moebench import tables

SIZES = ["small", "large", "xl", "xxl"]
ROUNDING = 2e-3  # of numbers that were printed with two decimals


def _agrees(product: str, one: str, other: str) -> pa.Check:
    """Check that ``one`` times ``other`` is ``product``, wherever all three are known."""

    def holds(table: pd.DataFrame) -> "pd.Series[bool]":
        ratio = table[one] * table[other] / table[product]
        return ratio.isna() | ((ratio - 1).abs() < ROUNDING)

    return pa.Check(holds, error=f"{one} * {other} is not {product}")


def _positive(nullable: bool = False) -> pa.Column:
    return pa.Column(float, [pa.Check.gt(0), pa.Check.lt(np.inf)], nullable=nullable)


SOURCE = pa.Column(str, pa.Check.str_length(min_value=1))
NETWORK = {
    "size": pa.Column(str, pa.Check.isin(SIZES)),
    "network": pa.Column(str, pa.Check.isin(["moe", "dense_total"])),
    "kernel": pa.Column(str, pa.Check.isin(["naive", "chosen", "dense"])),
}
SHARE = pa.Check.in_range(0, 1)
WINDOWS = pa.DataFrameSchema(
    {
        **NETWORK,
        "run": pa.Column(str, pa.Check.isin(["log", "document"])),
        "published_network": pa.Column(str),
        "num_experts": pa.Column(int, pa.Check.ge(1)),
        "expert_dim": pa.Column(int, pa.Check.ge(1)),
        "num_layers": pa.Column(int, pa.Check.ge(1)),
        "top_k": pa.Column(int, pa.Check.ge(1)),
        "num_params": pa.Column(int, pa.Check.ge(1)),
        "batch_size": pa.Column(int, pa.Check.ge(1)),
        "dtype": pa.Column(str),
        "device": pa.Column(str),
        "duration_s": _positive(nullable=True),
        "inferences": _positive(nullable=True),
        "inferences_per_s": _positive(nullable=True),
        "energy_j": _positive(nullable=True),
        "power_w": _positive(nullable=True),
        "inferences_per_j": _positive(),
        "train_accuracy": pa.Column(float, SHARE, nullable=True),
        "source": SOURCE,
    },
    checks=[
        _agrees("inferences", "inferences_per_s", "duration_s"),
        _agrees("energy_j", "power_w", "duration_s"),
        _agrees("inferences", "inferences_per_j", "energy_j"),
    ],
    unique=["size", "network", "kernel", "run"],
    strict=True,
    coerce=True,
    name="published energies",
)
TRAINING = pa.DataFrameSchema(
    {
        **NETWORK,
        "epoch": pa.Column(int, pa.Check.ge(1)),
        "train_nll_nats": _positive(),
        "train_accuracy": pa.Column(float, SHARE),
        "source": SOURCE,
    },
    unique=["size", "network", "kernel", "epoch"],
    strict=True,
    coerce=True,
    name="published training curves",
)


def read(path: str | Path) -> pd.DataFrame:
    """Read the published windows; TableError says what in them cannot be."""
    return tables.read(path, WINDOWS)


def read_training(path: str | Path) -> pd.DataFrame:
    """Read the published training curves; TableError says what in them cannot be."""
    return tables.read(path, TRAINING)
