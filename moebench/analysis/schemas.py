"""What each table may hold: types, ranges, and what must agree within a row.

Means over seeds and medians over timed steps carry no suffix; ``_low`` and ``_high`` are the ends
of their 95 % intervals. Null stands for what does not exist: a baseline's capacity factor, the
interval of a single seed, a non-causal arm's chance of being on the frontier.
"""

import numpy as np
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

CAUSALITIES = ["token-local", "prefix-causal", "batch-coupled", "non-causal"]
VERDICTS = ["lower", "higher", "tie"]
CONCLUSIONS = ["better", "worse", "equivalent", "tie"]  # of the first arm of a pair


def _parts_fit_whole(table: pd.DataFrame) -> "pd.Series[bool]":
    parts = table[["forward_s", "backward_s", "optimiser_s"]].sum(axis=1)
    return parts <= table["train_time_s"] * (1 + 1e-6)


def _encloses(quantity: str) -> pa.Check:
    return encloses(quantity, f"{quantity}_low", f"{quantity}_high")


CONSERVATION = conserves("train_tokens_per_s", "train_time_s", "train_tokens")
PARTS = pa.Check(_parts_fit_whole, error="the parts of a step take longer than the step")

ARM: Columns = {
    "router": text(),
    "capacity_factor": real(0, nullable=True),
    "gate": text(nullable=True),
    "drop_policy": text(nullable=True),
    "num_experts": count(),
    "dim": count(),
    "num_layers": count(),
    "top_k": pa.Column("Int64", pa.Check.ge(1), nullable=True),
    "num_params": count(),
    "num_active_params": count(),
}
SPEED: Columns = {
    "train_tokens_per_s": positive(),
    "train_time_s": positive(),
    "train_tokens": count(),
    "forward_s": real(0),
    "backward_s": real(0),
    "optimiser_s": real(0),
}
BALANCE: Columns = {
    "drop_rate": real(0, 1, nullable=True),
    "unrouted_rate": real(0, 1, nullable=True),
    "load_cv": real(0, nullable=True),
    "load_cv_routed": real(0, nullable=True),
    "max_vio": real(0, nullable=True),
    "max_vio_routed": real(0, nullable=True),
    "num_dead_experts": real(0, nullable=True),
    "gate_entropy_nats": real(0, nullable=True),
}
QUALITY: Columns = {
    "val_nll_nats": real(0),
    "val_ppl": real(1),
    "val_bits_per_byte": real(0),
}
# What each way of scoring without later tokens gives; null for a router that needs none.
CAUSAL_MODES = ("threshold", "token_choice", "position_pool")
BY_MODE: Columns = {
    "causal_effective_k": real(0, nullable=True),
    **{f"val_nll_{mode}_nats": real(0, nullable=True) for mode in CAUSAL_MODES},
    **{f"effective_k_{mode}": real(0, nullable=True) for mode in CAUSAL_MODES},
}
CAUSAL: Columns = {
    "val_nll_causal_nats": real(0),
    "val_ppl_causal": real(1),
}
KIND: Columns = {
    "causality": pa.Column(str, pa.Check.isin(CAUSALITIES)),
    "causal_mode": text(),
    "learned": pa.Column(bool),
}

TIMED_STEPS = pa.DataFrameSchema(
    {"cell": text(), "round": count(), **SPEED},
    checks=[CONSERVATION, PARTS],
    coerce=True,
    name="timed steps",
)

RUNS = pa.DataFrameSchema(
    {
        "experiment": text(),
        **ARM,
        "seed": pa.Column(int),
        **QUALITY,
        **CAUSAL,
        **BY_MODE,
        **SPEED,
        "num_timed_steps": count(),
        **BALANCE,
        **KIND,
    },
    checks=[CONSERVATION],
    coerce=True,
    name="runs",
)

INTERVALS = (
    *("val_nll_nats", "val_ppl", "val_nll_causal_nats", "val_ppl_causal"),
    "train_tokens_per_s",
)
SUMMARY = pa.DataFrameSchema(
    {
        **ARM,
        "num_seeds": count(),
        "val_nll_nats": QUALITY["val_nll_nats"],
        **interval("val_nll_nats", low=-np.inf),
        "val_ppl": QUALITY["val_ppl"],
        **interval("val_ppl"),
        "val_bits_per_byte": QUALITY["val_bits_per_byte"],
        "val_nll_causal_nats": CAUSAL["val_nll_causal_nats"],
        **interval("val_nll_causal_nats", low=-np.inf),
        "val_ppl_causal": CAUSAL["val_ppl_causal"],
        **interval("val_ppl_causal"),
        "val_bits_per_byte_causal": real(0),
        **BY_MODE,
        "train_tokens_per_s": SPEED["train_tokens_per_s"],
        **interval("train_tokens_per_s"),
        **{name: SPEED[name] for name in SPEED if name != "train_tokens_per_s"},
        "num_timed_steps": count(),
        "peak_resident_bytes": count(),
        **BALANCE,
        **KIND,
        "certified": pa.Column(str, pa.Check.isin(CAUSALITIES), nullable=True),
        "on_frontier": pa.Column(bool),
        "p_on_frontier": real(0, 1, nullable=True),
    },
    checks=[CONSERVATION, *map(_encloses, INTERVALS)],
    coerce=True,
    name="summary",
)

CURVES = pa.DataFrameSchema(
    {
        "router": text(),
        "capacity_factor": ARM["capacity_factor"],
        "seed": pa.Column(int),
        "step": count(),
        "quantity": text(),
        "value": pa.Column(float),
    },
    coerce=True,
    name="curves",
)

LOADS = pa.DataFrameSchema(
    {
        "router": text(),
        "capacity_factor": ARM["capacity_factor"],
        "seed": pa.Column(int),
        "step": count(),
        "layer": count(),
        "expert": count(),
        "share": real(0, 1),
        "fair_share": real(0, 1),
    },
    coerce=True,
    name="load of every expert over training",
)


def judged(unit: str = "") -> Columns:
    """What tests say of a pair of arms; ``unit`` ends the names of what has one."""
    return {
        "p_value": real(0, 1, nullable=True),
        "p_value_holm": real(0, 1, nullable=True),
        "verdict": pa.Column(str, pa.Check.isin(VERDICTS), nullable=True),
        f"margin{unit}": positive(),
        "p_value_equivalence": real(0, 1, nullable=True),
        "p_value_equivalence_holm": real(0, 1, nullable=True),
        f"minimum_detectable{unit}": real(0, nullable=True),
        "conclusion": pa.Column(str, pa.Check.isin(CONCLUSIONS), nullable=True),
    }


CONTRASTS = pa.DataFrameSchema(
    {
        "factor": text(),
        "router_a": text(),
        "router_b": text(),
        "capacity_factor_a": ARM["capacity_factor"],
        "capacity_factor_b": ARM["capacity_factor"],
        "gate_a": ARM["gate"],
        "gate_b": ARM["gate"],
        "drop_policy_a": ARM["drop_policy"],
        "drop_policy_b": ARM["drop_policy"],
        "value_a": text(),
        "value_b": text(),
        "num_seeds": count(),
        "val_nll_difference_nats": real(),
        **interval("val_nll_difference_nats", low=-np.inf),
        "family": text(),
        **judged("_nats"),
        **interval("val_nll_difference_nats_text", low=-np.inf),
    },
    checks=[_encloses("val_nll_difference_nats")],
    coerce=True,
    name="contrasts",
)

COMPARISON = pa.DataFrameSchema(
    {
        "capacity_factor": positive(),
        "router": text(),
        "published_router": text(),
        "causality": KIND["causality"],
        "claimed_rank": count(),
        "published_rank": count(),
        "rank": count(),
        "rank_from": count(),
        "rank_to": count(),
        "is_consistent": pa.Column(bool),
        "tied_with": text(nullable=True),
        "published_val_ppl": real(1),
        "val_ppl_causal": real(1),
        **interval("val_ppl_causal"),
        "published_speed_rank": count(),
        "speed_rank": count(),
        "published_tokens_per_s": positive(),
        "corrected_tokens_per_s_with_validation": positive(),
        "train_tokens_per_s": positive(),
        "source": text(),
    },
    coerce=True,
    name="comparison with published numbers",
)
