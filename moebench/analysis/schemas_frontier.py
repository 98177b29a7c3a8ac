"""What the tables of the frontier may hold: its surfaces, its volume, and the speed-up."""

import numpy as np
import pandas as pd
import pandera.pandas as pa

from moebench.analysis.columns import Columns, count, encloses, interval, positive, real, text
from moebench.analysis.frontier_words import (
    BEFORE_FIRST,
    EVERYTHING,
    LEVELS,
    NOT_REACHED,
    ONE_LESS,
    ONLY_DENSE,
    OUTCOMES,
    SUPPORTED,
    TIE,
)

ARM: Columns = {
    "router": text(nullable=True),
    "capacity_factor": real(0, nullable=True),
    "gate": text(nullable=True),
    "drop_policy": text(nullable=True),
}


def _names_the_arm(table: pd.DataFrame) -> "pd.Series[bool]":
    return (table["kept"] == ONE_LESS) == table["router"].notna()


def _is_a_number_or_a_bound(table: pd.DataFrame) -> "pd.Series[bool]":
    is_known = table["speed_up"].notna()
    bounds = table[["speed_up_at_least", "speed_up_at_most"]].notna().any(axis=1)
    is_bounded = table["outcome"].isin([NOT_REACHED, BEFORE_FIRST])
    return ~(is_known & bounds) & (is_bounded == bounds)


ATTAINMENT = pa.DataFrameSchema(
    {
        "attained_in": pa.Column(float, pa.Check.isin(LEVELS)),
        "train_tokens_per_s": positive(),
        "val_nll_causal_nats": real(),
    },
    coerce=True,
    name="attainment surfaces",
)

HYPERVOLUME = pa.DataFrameSchema(
    {
        "kept": pa.Column(str, pa.Check.isin([EVERYTHING, ONLY_DENSE, ONE_LESS])),
        **ARM,
        "num_arms": count(),
        "hypervolume": real(0),
        **interval("hypervolume"),
        "decrease": real(0, nullable=True),
        **interval("decrease"),
        "verdict": pa.Column(str, pa.Check.isin([SUPPORTED, TIE]), nullable=True),
        "reference_val_ppl": real(1),
        "reference_train_tokens_per_s": positive(),
    },
    checks=[
        encloses("hypervolume", "hypervolume_low", "hypervolume_high"),
        encloses("decrease", "decrease_low", "decrease_high"),
        pa.Check(_names_the_arm, error="the arm left out is not named"),
    ],
    coerce=True,
    name="hypervolume",
)

SPEED_UP = pa.DataFrameSchema(
    {
        **ARM,
        "baseline": text(),
        "matched_by": pa.Column(str, pa.Check.isin(["flops", "parameters", "time"])),
        "num_seeds": count(),
        "num_reached": count(nullable=True),
        "num_scores": count(),
        "speed_up": positive(nullable=True),
        **interval("speed_up"),
        "speed_up_at_least": real(0, np.inf, nullable=True),
        "speed_up_at_most": real(0, np.inf, nullable=True),
        "outcome": pa.Column(str, pa.Check.isin(OUTCOMES), nullable=True),
    },
    checks=[
        encloses("speed_up", "speed_up_low", "speed_up_high"),
        pa.Check(_is_a_number_or_a_bound, error="speed_up is neither a number nor a bound"),
    ],
    coerce=True,
    name="effective speed-up",
)
