"""Tables of single runs: where each ended, and how it got there."""

from collections.abc import Sequence

import pandas as pd

from moebench import tables
from moebench.analysis import cells
from moebench.analysis.schemas import CURVES, RUNS
from moebench.records import Row

DRAWN = (
    "train_loss_nats",
    "learning_rate",
    "grad_norm",
    "val_nll_nats",
    "val_ppl",
    "val_bits_per_byte",
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
    read = [row for row in rows if row.kind in ("train_step", "validation")]
    if not read:
        raise ValueError("there is no training or validation row among the given rows")
    table = pd.DataFrame(
        [
            cells.settings(row.spec)
            | {"seed": row.spec["seed"], "step": row.values["step"]}
            | {"quantity": quantity, "value": row.values[quantity]}
            for row in read
            for quantity in DRAWN
            if quantity in row.values
        ]
    )
    levels = cells.swept(table, cells.setting_keys(read))
    identity = list(dict.fromkeys(["router", "capacity_factor", *levels, "seed"]))
    table = table[[*identity, "step", "quantity", "value"]]
    table = table.sort_values([*identity, "quantity", "step"])
    return tables.check(table, CURVES)
