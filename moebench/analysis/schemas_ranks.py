"""What the tables of rank stability may hold."""

import pandas as pd
import pandera.pandas as pa

from moebench.analysis.columns import count, encloses, real, text
from moebench.analysis.schemas import CAUSALITIES

OUTCOMES = ["same", "reversed", "open"]


def _accounts_for_all(table: pd.DataFrame) -> "pd.Series[bool]":
    return table["num_same"] + table["num_reversed"] + table["num_open"] == table["num_pairs"]


def _pairs_of_routers(table: pd.DataFrame) -> "pd.Series[bool]":
    return table["num_pairs"] == table["num_routers"] * (table["num_routers"] - 1) // 2


STABILITY = pa.DataFrameSchema(
    {
        "experiment_a": text(),
        "condition_a": text(),
        "experiment_b": text(),
        "condition_b": text(),
        "num_routers": count(),
        "kendall_tau": real(-1, 1, nullable=True),
        "kendall_tau_low": real(-1, 1, nullable=True),
        "kendall_tau_high": real(-1, 1, nullable=True),
        "num_pairs": count(),
        "num_same": count(),
        "num_reversed": count(),
        "num_open": count(),
        "reversed": text(nullable=True),
        "verdict": pa.Column(str, pa.Check.isin(OUTCOMES)),
    },
    checks=[
        encloses("kendall_tau", "kendall_tau_low", "kendall_tau_high"),
        pa.Check(_accounts_for_all, error="same, reversed and open are not all pairs"),
        pa.Check(_pairs_of_routers, error="num_pairs is not that of num_routers"),
    ],
    coerce=True,
    name="rank stability",
)

RANKS = pa.DataFrameSchema(
    {
        "experiment": text(),
        "condition": text(),
        "router": text(),
        "causality": pa.Column(str, pa.Check.isin(CAUSALITIES)),
        "val_nll_causal_nats": real(0),
        "rank": count(),
        "rank_low": real(1, nullable=True),
        "rank_high": real(1, nullable=True),
        "p_best": real(0, 1, nullable=True),
        "tied_with": text(nullable=True),
    },
    unique=["condition", "router"],
    coerce=True,
    name="ranks",
)

DISTRIBUTION = pa.DataFrameSchema(
    {
        "condition": text(),
        "router": text(),
        "rank": count(),
        "probability": real(0, 1, nullable=True),
    },
    unique=["condition", "router", "rank"],
    coerce=True,
    name="distribution of ranks",
)
