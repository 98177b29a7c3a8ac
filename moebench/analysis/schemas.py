"""What each table may hold: types, ranges, and what must agree within a row.

Means over seeds and medians over timed steps carry no suffix; ``_low`` and ``_high`` are the ends
of their 95 % intervals. Null stands for what does not exist: a baseline's capacity factor, the
interval of a single seed, a non-causal arm's chance of being on the frontier.
"""

import numpy as np
import pandas as pd
import pandera.pandas as pa

CAUSALITIES = ["token-local", "prefix-causal", "batch-coupled", "non-causal"]
VERDICTS = ["lower", "higher", "tie"]

Columns = dict[str, pa.Column]


def _text(nullable: bool = False) -> pa.Column:
    return pa.Column(str, nullable=nullable)


def _count() -> pa.Column:
    return pa.Column(int, pa.Check.ge(0))


def _real(low: float = -np.inf, high: float = np.inf, nullable: bool = False) -> pa.Column:
    """A finite number within its bounds, or null where that is allowed."""
    finite = pa.Check(np.isfinite, error="not a finite number")
    return pa.Column(float, [finite, pa.Check.in_range(low, high)], nullable=nullable)


def _positive() -> pa.Column:
    return pa.Column(float, [pa.Check.gt(0), pa.Check.lt(np.inf)])


def _interval(quantity: str, low: float = 0) -> Columns:
    return {
        f"{quantity}_low": _real(low, nullable=True),
        f"{quantity}_high": _real(low, nullable=True),
    }


def _conserves_tokens(table: pd.DataFrame) -> "pd.Series[bool]":
    tokens = table["train_tokens_per_s"] * table["train_time_s"]
    return (tokens / table["train_tokens"] - 1).abs() < 1e-9


def _parts_fit_whole(table: pd.DataFrame) -> "pd.Series[bool]":
    parts = table[["forward_s", "backward_s", "optimiser_s"]].sum(axis=1)
    return parts <= table["train_time_s"] * (1 + 1e-6)


def _encloses(quantity: str) -> pa.Check:
    def ordered(table: pd.DataFrame) -> "pd.Series[bool]":
        low, value, high = (table[quantity + end] for end in ("_low", "", "_high"))
        return low.isna() & high.isna() | (low <= value) & (value <= high)

    return pa.Check(ordered, error=f"{quantity} is not within its interval")


CONSERVATION = pa.Check(
    _conserves_tokens, error="train_tokens_per_s * train_time_s is not train_tokens"
)
PARTS = pa.Check(_parts_fit_whole, error="the parts of a step take longer than the step")

ARM: Columns = {
    "router": _text(),
    "capacity_factor": _real(0, nullable=True),
    "num_experts": _count(),
    "dim": _count(),
    "num_layers": _count(),
    "top_k": pa.Column("Int64", pa.Check.ge(1), nullable=True),
    "num_params": _count(),
    "num_active_params": _count(),
}
SPEED: Columns = {
    "train_tokens_per_s": _positive(),
    "train_time_s": _positive(),
    "train_tokens": _count(),
    "forward_s": _real(0),
    "backward_s": _real(0),
    "optimiser_s": _real(0),
}
BALANCE: Columns = {
    "drop_rate": _real(0, 1, nullable=True),
    "unrouted_rate": _real(0, 1, nullable=True),
    "load_cv": _real(0, nullable=True),
    "load_cv_routed": _real(0, nullable=True),
    "max_vio": _real(0, nullable=True),
    "max_vio_routed": _real(0, nullable=True),
    "gate_entropy_nats": _real(0, nullable=True),
}
QUALITY: Columns = {
    "val_nll_nats": _real(0),
    "val_ppl": _real(1),
    "val_bits_per_byte": _real(0),
}
KIND: Columns = {
    "causality": pa.Column(str, pa.Check.isin(CAUSALITIES)),
    "learned": pa.Column(bool),
}

TIMED_STEPS = pa.DataFrameSchema(
    {"cell": _text(), "round": _count(), **SPEED},
    checks=[CONSERVATION, PARTS],
    coerce=True,
    name="timed steps",
)

RUNS = pa.DataFrameSchema(
    {
        "experiment": _text(),
        **ARM,
        "seed": pa.Column(int),
        **QUALITY,
        **SPEED,
        "num_timed_steps": _count(),
        **BALANCE,
        **KIND,
    },
    checks=[CONSERVATION],
    coerce=True,
    name="runs",
)

SUMMARY = pa.DataFrameSchema(
    {
        **ARM,
        "num_seeds": _count(),
        "val_nll_nats": QUALITY["val_nll_nats"],
        **_interval("val_nll_nats", low=-np.inf),
        "val_ppl": QUALITY["val_ppl"],
        **_interval("val_ppl"),
        "val_bits_per_byte": QUALITY["val_bits_per_byte"],
        "train_tokens_per_s": SPEED["train_tokens_per_s"],
        **_interval("train_tokens_per_s"),
        **{name: SPEED[name] for name in SPEED if name != "train_tokens_per_s"},
        "num_timed_steps": _count(),
        "peak_resident_bytes": _count(),
        **BALANCE,
        **KIND,
        "on_frontier": pa.Column(bool),
        "p_on_frontier": _real(0, 1, nullable=True),
    },
    checks=[CONSERVATION, *map(_encloses, ("val_nll_nats", "val_ppl", "train_tokens_per_s"))],
    coerce=True,
    name="summary",
)

CURVES = pa.DataFrameSchema(
    {
        "router": _text(),
        "capacity_factor": ARM["capacity_factor"],
        "seed": pa.Column(int),
        "step": pa.Column(int, pa.Check.ge(1)),
        "quantity": _text(),
        "value": pa.Column(float),
    },
    coerce=True,
    name="curves",
)

CONTRASTS = pa.DataFrameSchema(
    {
        "factor": _text(),
        "router_a": _text(),
        "router_b": _text(),
        "capacity_factor_a": ARM["capacity_factor"],
        "capacity_factor_b": ARM["capacity_factor"],
        "value_a": _text(),
        "value_b": _text(),
        "num_seeds": _count(),
        "val_nll_difference_nats": _real(),
        **_interval("val_nll_difference_nats", low=-np.inf),
        "family": _text(),
        "p_value": _real(0, 1, nullable=True),
        "p_value_holm": _real(0, 1, nullable=True),
        "verdict": pa.Column(str, pa.Check.isin(VERDICTS), nullable=True),
    },
    checks=[_encloses("val_nll_difference_nats")],
    coerce=True,
    name="contrasts",
)

COMPARISON = pa.DataFrameSchema(
    {
        "capacity_factor": _positive(),
        "router": _text(),
        "published_router": _text(),
        "causality": KIND["causality"],
        "claimed_rank": _count(),
        "published_rank": _count(),
        "rank": _count(),
        "rank_from": _count(),
        "rank_to": _count(),
        "is_consistent": pa.Column(bool),
        "tied_with": _text(nullable=True),
        "published_val_ppl": _real(1),
        "val_ppl": _real(1),
        **_interval("val_ppl"),
        "published_speed_rank": _count(),
        "speed_rank": _count(),
        "published_tokens_per_s": _positive(),
        "corrected_tokens_per_s_with_validation": _positive(),
        "train_tokens_per_s": _positive(),
        "source": _text(),
    },
    coerce=True,
    name="comparison with published numbers",
)
