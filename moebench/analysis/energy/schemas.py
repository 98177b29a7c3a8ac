"""What the tables of the energy room may hold: windows of inference, and curves of training.

The main table has a row per window and boundary: the time of a window is the same in all of its
rows, its joules are those that count within the boundary. Null stands for what does not exist: the
joules of a machine without a meter, the accuracy of a network that was not trained, the experts of
a dense one. Joules that were not measured are null, never 0.
"""

import pandas as pd
import pandera.pandas as pa

from moebench.analysis.columns import Columns, conserves, count, positive, real, text

NETWORKS = ("moe", "dense_total", "dense_active")
DTYPES = ("f32", "tf32", "bf16")
STATUSES = ("measured", "integrated", "estimated", "unavailable", "invalid")
WITH_VALUE = ("measured", "integrated", "estimated")

# What tells one window from another, in the order in which tables are sorted.
CELL = ("size", "network", "kernel", "batch_size", "dtype", "device")
WINDOW = (*CELL, "block")


def _has_joules_exactly_with_value(table: pd.DataFrame) -> "pd.Series[bool]":
    has_value = table["energy_status"].isin(WITH_VALUE)
    is_told = [table[name].notna() == has_value for name in ("energy_j", "energy_method")]
    return is_told[0] & is_told[1] & (table["energy_reason"].isna() == has_value)


NETWORK: Columns = {
    "size": text(),
    "network": pa.Column(str, pa.Check.isin(NETWORKS)),
    "kernel": text(),  # how the experts are run; ``dense`` for a dense network
    "num_params": count(),
    "num_active_params": count(),
    "num_experts": count(nullable=True),
    "top_k": count(nullable=True),
    "num_layers": count(),
    "width": count(),  # hidden width of the dense network, or of one expert
}
LEARNT: Columns = {
    "train_accuracy": real(0, 1, nullable=True),
    "heldout_accuracy": real(0, 1, nullable=True),  # in the number type of the row
    "heldout_nll_nats": real(0, nullable=True),
    "is_at_chance": pa.Column("boolean", nullable=True),
}

ENERGY = pa.DataFrameSchema(
    {
        **NETWORK,
        "batch_size": count(),
        "dtype": pa.Column(str, pa.Check.isin(DTYPES)),
        "device": text(),
        "boundary": text(),
        "plan": text(),
        "process": count(),  # windows of one process share its start, its memory and its clocks
        "block": count(),  # holds each cell once
        "place": count(),  # in the order of the block
        "num_batches": count(),  # calls of the network in the window
        "inferences": count(),
        "duration_s": positive(),
        "inferences_per_s": positive(),
        "energy_j": positive(nullable=True),
        "energy_sigma_j": real(0, nullable=True),
        "energy_status": pa.Column(str, pa.Check.isin(STATUSES)),
        "energy_reason": text(nullable=True),
        "energy_method": text(nullable=True),
        "power_w": positive(nullable=True),
        "inferences_per_j": positive(nullable=True),
        **LEARNT,
        "flops": positive(),  # of one inference, exactly
        "bytes": positive(),  # of one inference: touched weights once a batch, rows in and out
        "touched_experts": positive(nullable=True),  # mean number over the batches
        "is_emulated": pa.Column(bool),  # the processor has no instructions for the number type
        "threads": count(),
        "num_cores": count(),
    },
    checks=[
        conserves("inferences_per_s", "duration_s", "inferences"),
        conserves("batch_size", "num_batches", "inferences"),
        conserves("inferences_per_j", "energy_j", "inferences"),
        conserves("power_w", "duration_s", "energy_j"),
        pa.Check(
            _has_joules_exactly_with_value,
            error="a status with a value needs joules and a method, any other a reason alone",
        ),
    ],
    unique=[*WINDOW, "boundary"],
    coerce=True,
    name="energy",
)

TRAINING = pa.DataFrameSchema(
    {
        **NETWORK,
        "device": text(),
        "epoch": pa.Column(int, pa.Check.ge(1)),
        "train_nll_nats": real(0),
        "train_accuracy": real(0, 1),
        "heldout_nll_nats": real(0),
        "heldout_accuracy": real(0, 1),
        "is_at_chance": pa.Column(bool),
        "heldout_load_cv": real(0, nullable=True),  # over experts; null in a dense network
        "num_dead_experts": count(nullable=True),
        "duration_s": positive(),  # of the updates alone
        "energy_j": positive(nullable=True),
        "energy_status": pa.Column(str, pa.Check.isin(STATUSES)),
        "energy_reason": text(nullable=True),
    },
    unique=["size", "network", "device", "epoch"],
    coerce=True,
    name="energy training",
)

ESTIMATE = pa.DataFrameSchema(
    {
        "size": text(),
        "network": NETWORK["network"],
        "kernel": text(),
        "batch_size": count(),
        "dtype": pa.Column(str, pa.Check.isin(DTYPES)),
        "device": text(),
        "num_params": count(),
        "inferences_per_s": positive(),
        "flops": positive(),
        "bytes": positive(),
        "estimated_energy_low_j": real(0),  # of one inference
        "estimated_energy_high_j": real(0),
        "energy_status": pa.Column(str, pa.Check.eq("estimated")),
        "source": text(),
    },
    unique=list(CELL),
    coerce=True,
    name="energy estimate",
)
