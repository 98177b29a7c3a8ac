"""What each table derived from energy windows may hold.

Sizes are in parameters of the mixture. Null stands for what does not exist: the joules of a machine
without a meter, a crossover that does not lie among the sizes, the interval of a single block.
"""

import numpy as np
import pandera.pandas as pa

from moebench.analysis.energy.boundaries import BOUNDARIES
from moebench.analysis.energy.crossover import VERDICTS
from moebench.analysis.energy.quality import LEARNING

# Why the dense networks have no size of equal loss.
ALREADY = "the smallest dense network is already as good"
NEVER = "no dense network gets there"
STATUSES = ["measured", "integrated", "estimated", "unavailable", "invalid"]
QUANTITIES = ["energy", "time"]
BETTER = ["first", "second", "tie"]
REGIMES = ["compute", "memory", "overhead"]

Columns = dict[str, pa.Column]


def _text(*allowed: str, nullable: bool = False) -> pa.Column:
    return pa.Column(str, pa.Check.isin(allowed) if allowed else None, nullable=nullable)


def _count(low: int = 0) -> pa.Column:
    return pa.Column(int, pa.Check.ge(low))


def _positive(nullable: bool = False) -> pa.Column:
    return pa.Column(float, [pa.Check.gt(0), pa.Check.lt(np.inf)], nullable=nullable)


def _real(nullable: bool = False) -> pa.Column:
    return pa.Column(float, pa.Check(np.isfinite, error="not a finite number"), nullable=nullable)


def _share(nullable: bool = False) -> pa.Column:
    return pa.Column(float, pa.Check.in_range(0, 1), nullable=nullable)


def _with_interval(name: str, nullable: bool = False) -> Columns:
    return {
        name: _positive(nullable),
        f"{name}_low": _positive(nullable=True),
        f"{name}_high": _positive(nullable=True),
    }


NETWORK: Columns = {"size": _text(), "network": _text(), "kernel": _text()}
WHERE: Columns = {"batch_size": _count(1), "dtype": _text(), "device": _text()}
CROSSOVER_SIZE = _with_interval("crossover_params", nullable=True)

PUBLISHED = pa.DataFrameSchema(
    {
        "kernel": _text(),
        "boundary": _text(*BOUNDARIES),
        "assumed_w": pa.Column(float, pa.Check.ge(0)),
        "run_noise": _positive(),
        **CROSSOVER_SIZE,
        "side": _text("within", "none", "throughout"),
        "smallest_params": _count(1),
        "largest_params": _count(1),
        "size_below": _text(nullable=True),
        "size_above": _text(nullable=True),
        "all_learned": pa.Column("boolean", nullable=True),
    },
    coerce=True,
    unique=["kernel", "boundary", "assumed_w"],
    name="published crossover",
)

ELSEWHERE = pa.DataFrameSchema(
    {
        "origin": _text("published", "measured"),
        "date": _text(nullable=True),
        **NETWORK,
        "num_params": _count(1),
        **WHERE,
        "boundary": _text(),
        "energy_status": _text(*STATUSES),
        "inferences_per_s": _positive(),
        "inferences_per_j": _positive(nullable=True),
        "power_w": _positive(nullable=True),
        "accuracy": _share(nullable=True),
        "accuracy_of": _text(),
        "learning": _text(*LEARNING),
        "source": _text(),
    },
    coerce=True,
    name="measured elsewhere",
)

CELLS = pa.DataFrameSchema(
    {
        **NETWORK,
        **WHERE,
        "boundary": _text(),
        "num_params": _count(1),
        "num_active_params": _count(1),
        "num_blocks": _count(1),
        "num_windows": _count(1),
        "num_windows_with_energy": _count(),
        "num_windows_invalid": _count(),
        "energy_status": _text(*STATUSES),
        "energy_reason": _text(nullable=True),
        "energy_method": _text(nullable=True),
        **_with_interval("inferences_per_s", nullable=True),
        **_with_interval("inferences_per_j", nullable=True),
        "power_w": _positive(nullable=True),
        "energy_delay_j_s": _positive(nullable=True),
        "flops": _positive(),
        "bytes": _positive(),
        "flops_per_byte": _positive(),
        "flops_per_s": _positive(nullable=True),
        "bytes_per_s": _positive(nullable=True),
        "roof_share": pa.Column(float, pa.Check.in_range(0, 1 + 1e-9), nullable=True),
        "regime": _text(*REGIMES, nullable=True),
        "heldout_accuracy": _share(nullable=True),
        "heldout_nll_nats": _real(nullable=True),
        "learning": _text(*LEARNING),
    },
    coerce=True,
    unique=[*NETWORK, *WHERE, "boundary"],
    name="energy cells",
)

CROSSOVER = pa.DataFrameSchema(
    {
        "quantity": _text(*QUANTITIES),
        "baseline": _text(),
        "kernel": _text(),
        **WHERE,
        "boundary": _text(),
        **CROSSOVER_SIZE,
        "verdict": _text(*VERDICTS),
        "num_blocks": _count(1),
        "num_sizes": _count(1),
        "smallest_params": _count(1),
        "largest_params": _count(1),
        "all_learned": pa.Column("boolean", nullable=True),
    },
    coerce=True,
    unique=["quantity", "baseline", "kernel", *WHERE, "boundary"],
    name="energy crossover",
)

GAINS = pa.DataFrameSchema(
    {
        "quantity": _text(*QUANTITIES),
        "part": _text("architecture", "implementation", "both"),
        "baseline": _text(),
        "baseline_kernel": _text(),
        "kernel": _text(),
        "size": _text(),
        **WHERE,
        "boundary": _text(),
        **_with_interval("ratio"),
        "better": pa.Column(str, pa.Check.isin(BETTER), nullable=True),
        "num_blocks": _count(1),
    },
    coerce=True,
    name="energy gains",
)

EQUAL_LOSS = pa.DataFrameSchema(
    {
        "quantity": _text(*QUANTITIES),
        "kernel": _text(),
        "size": _text(),
        **WHERE,
        "boundary": _text(),
        "heldout_nll_nats": _real(),
        "dense_params_at_equal_loss": _positive(nullable=True),
        **_with_interval("ratio", nullable=True),
        "censored": _text(ALREADY, NEVER, nullable=True),
        "num_blocks": _count(1),
    },
    coerce=True,
    name="energy at equal loss",
)
