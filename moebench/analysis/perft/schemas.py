"""What each table of the PERFT room may hold.

Rows they are made of, of experiment ``perft``: ``train_step`` with ``step`` and
``train_loss_nats``; ``validation`` with ``step`` and the quantities of QUALITY, at step 0 of the
base model alone; ``final`` with the quantities of RUNS; ``timed_step`` with ``round`` and
``train_time_s``.

``answer_nll_nats`` is the mean over the tokens of all held-out answers, without any auxiliary loss;
``answer_ppl`` is its exponential. ``_low`` and ``_high`` are the ends of 95 % intervals over seeds.
Null stands for what a variant does not have.
"""

import numpy as np
import pandera.pandas as pa

from moebench import published_perft
from moebench.analysis.columns import Columns, count, encloses, interval, positive, real, text
from moebench.analysis.schemas import judged

QUANTITIES = ["answer_nll_nats", "accuracy"]

ARM: Columns = {
    "arm": text(),
    "variant": text(),
    "rank": count(),
    "num_adapters": count(nullable=True),
    "top_k": count(nullable=True),
    "inner": text(),
    "alpha_over_rank": positive(nullable=True),
    "dropout": real(0, 1),
    "router": text(nullable=True),
    "legacy_weighting": pa.Column(bool),
    "learning_rate": positive(),
}
SIZE: Columns = {
    "num_trainable_params": count(),
    "num_activated_trainable_params": count(),
    "num_base_active_params": count(),
    "activated_share": real(0),
}
QUALITY: Columns = {
    "answer_nll_nats": real(0),
    "answer_ppl": real(1),
    "accuracy": real(0, 1),
}
SCORED: Columns = {
    "num_scored_questions": count(),
    "chance_accuracy": real(0, 1),
}
SPEED: Columns = {
    "train_time_s": positive(),
    **interval("train_time_s"),
}
MEMORY: Columns = {
    "peak_resident_bytes": count(),
    "peak_allocated_bytes": count(nullable=True),
}

RUNS = pa.DataFrameSchema(
    {"experiment": text(), "base": text(), "data": text(), **ARM, "seed": pa.Column(int)}
    | QUALITY
    | SCORED
    | SIZE
    | MEMORY,
    coerce=True,
    unique=["arm", "seed"],
    name="perft",
)

SUMMARY = pa.DataFrameSchema(
    {
        "base": text(),
        "data": text(),
        **ARM,
        "num_seeds": count(),
        "answer_nll_nats": QUALITY["answer_nll_nats"],
        **interval("answer_nll_nats", low=-np.inf),
        "answer_ppl": QUALITY["answer_ppl"],
        **interval("answer_ppl"),
        "accuracy": QUALITY["accuracy"],
        **interval("accuracy", low=-np.inf),
        # Of one seed's accuracy, were other questions of the same kind drawn: Wilson's interval.
        "accuracy_questions_low": real(0, 1),
        "accuracy_questions_high": real(0, 1),
        **SCORED,
        # Of the base without an adapter, on the same questions.
        "base_answer_nll_nats": real(0),
        "base_accuracy": real(0, 1),
        **SIZE,
        **SPEED,
        **MEMORY,
        "on_frontier_accuracy": pa.Column(bool),
        "p_on_frontier_accuracy": real(0, 1, nullable=True),
        "on_frontier_ppl": pa.Column(bool),
        "p_on_frontier_ppl": real(0, 1, nullable=True),
    },
    checks=[
        encloses(value, f"{value}_low", f"{value}_high")
        for value in ("answer_nll_nats", "answer_ppl", "accuracy", "train_time_s")
    ],
    coerce=True,
    unique=["arm"],
    name="perft summary",
)

CURVES = pa.DataFrameSchema(
    {
        "arm": text(),
        "variant": text(),
        "seed": pa.Column(int),
        "step": count(),
        "quantity": text(),
        "value": pa.Column(float),
    },
    coerce=True,
    name="perft curves",
)

CONTRASTS = pa.DataFrameSchema(
    {
        "quantity": pa.Column(str, pa.Check.isin(QUANTITIES)),
        "factor": text(),
        "family": text(),
        "arm_a": text(),
        "arm_b": text(),
        "value_a": text(),
        "value_b": text(),
        "num_seeds": count(),
        "difference": real(),
        **interval("difference", low=-np.inf),
        **judged(),
    },
    checks=[encloses("difference", "difference_low", "difference_high")],
    coerce=True,
    name="perft contrasts",
)

PUBLISHED = published_perft.SCHEMA.add_columns(
    {
        "ppl": real(1),
        "on_published_frontier": pa.Column(bool),
        "on_frontier": pa.Column(bool),
    }
)

STATEMENTS = pa.DataFrameSchema(
    {
        "statement": text(),
        "axis": text(),
        "loss": text(),
        "num_compared": count(),
        "num_held": count(),
        "survives": pa.Column(bool),
        "fails_at": text(nullable=True),
    },
    coerce=True,
    name="published PERFT statements",
)
