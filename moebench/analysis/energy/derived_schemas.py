"""What each table derived from energy windows may hold.

Sizes are in parameters of the mixture. Null stands for what does not exist: the joules of a machine
without a meter, a crossover that does not lie among the sizes, the interval of a single block.
"""

import pandas as pd
import pandera.pandas as pa

from moebench.analysis.columns import Columns, count, interval, positive, real, text
from moebench.analysis.energy.boundaries import ASSUMED
from moebench.analysis.energy.crossover import VERDICTS
from moebench.analysis.energy.quality import LEARNING
from moebench.analysis.energy.schemas import STATUSES

# Why the dense networks have no size of equal loss.
ALREADY = "the smallest dense network is already as good"
NEVER = "no dense network gets there"
QUANTITIES = ["energy", "time"]
REPLICATES = ["process", "block"]
BETTER = ["first", "second", "tie"]
REGIMES = ["compute", "memory", "overhead"]


def _one_of(*allowed: str, nullable: bool = False) -> pa.Column:
    return pa.Column(str, pa.Check.isin(allowed), nullable=nullable)


def _with_interval(name: str, nullable: bool = False) -> Columns:
    return {name: positive(nullable), **interval(name)}


def _enclosed(name: str) -> pa.Check:
    """The value lies in its interval, of which either end may lie beyond what was measured."""

    def ordered(table: pd.DataFrame) -> "pd.Series[bool]":
        low, value, high = (table[name + end] for end in ("_low", "", "_high"))
        return ~(low > value) & ~(value > high)

    return pa.Check(ordered, error=f"{name} is not within its interval")


NETWORK: Columns = {"size": text(), "network": text(), "kernel": text()}
WHERE: Columns = {"batch_size": count(), "dtype": text(), "device": text()}
CROSSOVER_SIZE = _with_interval("crossover_params", nullable=True)
COMPARED: Columns = {
    **WHERE,
    "boundary": text(),
    **_with_interval("ratio"),
    "better": pa.Column(str, pa.Check.isin(BETTER), nullable=True),
    "num_blocks": count(),
    "blocks_are": _one_of(*REPLICATES),
}

PUBLISHED = pa.DataFrameSchema(
    {
        "kernel": text(),
        "boundary": _one_of(*ASSUMED),
        "assumed_w": real(0),
        "run_noise": positive(),
        **CROSSOVER_SIZE,
        "side": _one_of("within", "none", "throughout"),
        "smallest_params": count(),
        "largest_params": count(),
        "size_below": text(nullable=True),
        "size_above": text(nullable=True),
        "all_learned": pa.Column("boolean", nullable=True),
    },
    coerce=True,
    unique=["kernel", "boundary", "assumed_w"],
    checks=[_enclosed("crossover_params")],
    name="published crossover",
)

ELSEWHERE = pa.DataFrameSchema(
    {
        "origin": _one_of("published", "measured"),
        "date": text(nullable=True),
        **NETWORK,
        "num_params": count(),
        **WHERE,
        "boundary": text(),
        "energy_status": _one_of(*STATUSES),
        **_with_interval("inferences_per_s"),
        **_with_interval("inferences_per_j", nullable=True),
        "power_w": positive(nullable=True),
        "train_accuracy": real(0, 1, nullable=True),
        "learning": _one_of(*LEARNING),
        "source": text(),
    },
    coerce=True,
    name="measured elsewhere",
)

CELLS = pa.DataFrameSchema(
    {
        **NETWORK,
        **WHERE,
        "boundary": text(),
        "num_params": count(),
        "num_active_params": count(),
        "num_blocks": count(),
        "blocks_are": _one_of(*REPLICATES),
        "num_windows": count(),
        "num_windows_with_energy": count(),
        "num_windows_invalid": count(),
        "energy_status": _one_of(*STATUSES),
        "energy_reason": text(nullable=True),
        "energy_method": text(nullable=True),
        **_with_interval("inferences_per_s", nullable=True),
        **_with_interval("inferences_per_j", nullable=True),
        "power_w": positive(nullable=True),
        "energy_delay_j_s": positive(nullable=True),
        "flops": positive(),
        "bytes": positive(),
        "flops_per_byte": positive(),
        "flops_per_s": positive(nullable=True),
        "bytes_per_s": positive(nullable=True),
        "roof_share": real(0, 1 + 1e-9, nullable=True),
        "regime": _one_of(*REGIMES, nullable=True),
        "train_accuracy": real(0, 1, nullable=True),
        "heldout_accuracy": real(0, 1, nullable=True),
        "heldout_nll_nats": real(nullable=True),
        "learning": _one_of(*LEARNING),
    },
    coerce=True,
    unique=[*NETWORK, *WHERE, "boundary"],
    checks=[_enclosed("inferences_per_s"), _enclosed("inferences_per_j")],
    name="energy cells",
)

CROSSOVER = pa.DataFrameSchema(
    {
        "quantity": _one_of(*QUANTITIES),
        "baseline": text(),
        "kernel": text(),
        **WHERE,
        "boundary": text(),
        **CROSSOVER_SIZE,
        "verdict": _one_of(*VERDICTS),
        "num_blocks": count(),
        "blocks_are": _one_of(*REPLICATES),
        "num_sizes": count(),
        "smallest_params": count(),
        "largest_params": count(),
        "all_learned": pa.Column("boolean", nullable=True),
    },
    coerce=True,
    unique=["quantity", "baseline", "kernel", *WHERE, "boundary"],
    checks=[_enclosed("crossover_params")],
    name="energy crossover",
)

GAINS = pa.DataFrameSchema(
    {
        "quantity": _one_of(*QUANTITIES),
        "part": _one_of("architecture", "implementation", "both"),
        "baseline": text(),
        "baseline_kernel": text(),
        "kernel": text(),
        "size": text(),
        **COMPARED,
    },
    coerce=True,
    checks=[_enclosed("ratio")],
    name="energy gains",
)

FACTORS = pa.DataFrameSchema(
    {
        "quantity": _one_of(*QUANTITIES),
        "baseline": text(),
        "kernel": text(),
        "factor": text(),
        "size": text(),
        "larger_size": text(),
        "value": count(),
        "larger_value": count(),
        **COMPARED,  # better, if second, with the larger value
    },
    coerce=True,
    checks=[_enclosed("ratio")],
    name="energy factors",
)

EQUAL_LOSS = pa.DataFrameSchema(
    {
        "quantity": _one_of(*QUANTITIES),
        "kernel": text(),
        "size": text(),
        **WHERE,
        "boundary": text(),
        "heldout_nll_nats": real(),
        "dense_params_at_equal_loss": positive(nullable=True),
        **_with_interval("ratio", nullable=True),
        "censored": _one_of(ALREADY, NEVER, nullable=True),
        "num_blocks": count(),
        "blocks_are": _one_of(*REPLICATES),
    },
    coerce=True,
    checks=[_enclosed("ratio")],
    name="energy at equal loss",
)
