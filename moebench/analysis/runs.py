"""Tables of single runs: where each ended, and how it got there."""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from moebench import tables
from moebench.analysis import cells
from moebench.analysis.schemas import CURVES, LOADS, RUNS
from moebench.records import Row

DRAWN = (
    "train_loss_nats",
    "learning_rate",
    "grad_norm",
    "val_nll_nats",
    "val_ppl",
    "val_bits_per_byte",
    "max_vio_routed",
    "num_dead_experts",
    "saturation",
    "saturation_chance",
)


def tabulate_runs(rows: Sequence[Row]) -> pd.DataFrame:
    """One line per run: what it was asked to be, its final scores, the speed of its arm."""
    finals, timed = cells.final_rows(rows), cells.timed_rows(rows)
    cells.match(finals, timed)
    cells.crossed(finals, "seed", "val_nll_nats")
    table = finals.join(cells.speeds(timed), on="cell")
    return tables.check(table.drop(columns="cell"), RUNS)


def curves(rows: Sequence[Row]) -> pd.DataFrame:
    """Every quantity of DRAWN at every step of every run, one value a line.

    Besides router and capacity factor a line names whatever else was swept.
    """
    read = [row for row in rows if row.kind in ("train_step", "validation", "saturation")]
    if not read:
        raise ValueError("there is no training or validation row among the given rows")
    table = pd.DataFrame(
        [
            cells.settings(row.spec)
            | {"seed": row.spec["seed"], "step": row.values["step"]}
            | {"quantity": quantity, "value": row.values[quantity]}
            for row in read
            for quantity in DRAWN
            if row.values.get(quantity) is not None
        ]
    )
    identity = _identity(table, read)
    table = table[[*identity, "step", "quantity", "value"]]
    table = table.sort_values([*identity, "quantity", "step"])
    return tables.check(table, CURVES)


def loads(rows: Sequence[Row]) -> pd.DataFrame:
    """Share of the assignments that each expert was asked for at every scoring, layer by layer.

    A dense network has no line.
    """
    read = [row for row in rows if row.kind == "validation"]
    if not read:
        raise ValueError("there is no validation row among the given rows")
    table = pd.DataFrame(
        [
            cells.settings(row.spec)
            | {"seed": row.spec["seed"], "step": row.values["step"]}
            | {"layer": layer, "expert": expert, "share": load / sum(load_E)}
            | {"fair_share": 1 / len(load_E)}
            for row in read
            for layer, load_E in enumerate(row.values.get("load_routed_LE") or ())
            for expert, load in enumerate(load_E)
        ]
    )
    identity = _identity(table, read)
    place = ["step", "layer", "expert"]
    table = table[[*identity, *place, "share", "fair_share"]].sort_values([*identity, *place])
    return tables.check(table, LOADS)


def as_of(rows: Sequence[Row], experiment: str) -> list[Row]:
    """Rows under the name of an experiment, which may have taken some from another one."""
    return [replace(row, spec=row.spec | {"experiment": experiment}) for row in rows]


def _identity(table: pd.DataFrame, rows: Sequence[Row]) -> list[str]:
    """Columns that tell runs apart: router, capacity factor, whatever else was swept, seed."""
    levels = cells.swept(table, cells.setting_keys(rows))
    return list(dict.fromkeys(["router", "capacity_factor", *levels, "seed"]))
