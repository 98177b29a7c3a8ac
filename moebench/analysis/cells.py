"""Cells: runs that were asked for the same thing and differ in nothing but the seed.

A cell is one router with one value of every model and training setting. Its runs say how good it
is, the timed steps of its arm how fast.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from moebench import tables
from moebench.analysis.rates import tokens_per_s
from moebench.analysis.schemas import TIMED_STEPS
from moebench.records import Row
from moebench.spec import BASELINES, ROUTED_ONLY, ModelSpec, TrainingSpec

# How a run is carried out rather than what it is; the row's setting says what came of it.
EXECUTION = ("device", "dtype", "threads", "eval_every", "checkpoint_every")
SETTING = ("device", "dtype", "threads", "is_oversubscribed", "commit", "code_digest")
STEP_PARTS = ("forward_s", "backward_s", "optimiser_s")


def settings(spec: dict[str, Any]) -> dict[str, Any]:
    """What a run was asked to be, without its seed, as one flat mapping.

    ``config_top_k`` is the config's, the same for all arms; ``top_k`` in tables is what the router
    uses. Settings that mean nothing without a gate are null for a baseline.
    """
    flat = {key: spec[key] for key in ("experiment", "corpus", "tokenizer", "router")}
    flat["router_options"] = json.dumps(spec["router_options"], sort_keys=True)
    flat |= spec["model"] | spec["training"]
    flat["config_top_k"] = flat.pop("top_k")
    if spec["router"] in BASELINES:
        flat |= {key.partition(".")[2]: None for key in ROUTED_ONLY}
    return {key: value for key, value in flat.items() if key not in EXECUTION}


def setting_names() -> list[str]:
    """Names of the settings of model and training that a run is asked for, as tables have them."""
    spec = [*ModelSpec.model_fields, *TrainingSpec.model_fields]
    return [key for key in spec if key not in (*EXECUTION, "top_k")] + ["config_top_k"]


def swept(arms: pd.DataFrame, keys: Iterable[str]) -> list[str]:
    """Which settings take more than one value over the arms, apart from who routes."""
    return [key for key in keys if not key.startswith("router") and arms[key].nunique() > 1]


def setting_keys(rows: Sequence[Row]) -> list[str]:
    """Names of all settings that the rows' specs hold."""
    return list(settings(rows[0].spec))


def final_rows(rows: Sequence[Row]) -> pd.DataFrame:
    """One line per run: cell, settings, seed, the scalars of its final row, and its setting."""
    finals = [row for row in rows if row.kind == "final"]
    if not finals:
        raise ValueError("there is no final row among the given rows; train the runs first")
    table = pd.DataFrame(
        [{"cell": cell(row)} | settings(row.spec) | _outcome(row) for row in finals]
    )
    # A list in one run is null in a baseline's, so it is known by name, not by each row's value.
    lists = {key for row in finals for key, v in row.values.items() if isinstance(v, list)}
    table = table.drop(columns=list(lists))
    empty = [column for column in table if table[column].isna().all()]
    table = table.astype(dict.fromkeys(empty, "float64"))
    order = ["router", "capacity_factor", *setting_keys(finals), "seed"]
    table = table.sort_values(list(dict.fromkeys(order)), ignore_index=True)
    _comparable(table)
    return table


def timed_rows(rows: Sequence[Row]) -> pd.DataFrame:
    """One line per timed step: its cell and what was measured."""
    timed = [row for row in rows if row.kind == "timed_step"]
    if not timed:
        raise ValueError("there is no timed step among the given rows; run the timing job first")
    where = [{f"timing_{key}": row.setting[key] for key in SETTING} for row in timed]
    table = pd.DataFrame(
        [{"cell": cell(row)} | row.values | at for row, at in zip(timed, where, strict=True)]
    )
    return tables.check(table, TIMED_STEPS)


def crossed(table: pd.DataFrame, along: str, quantity: str) -> pd.DataFrame:
    """Values of a quantity, one line per cell and one column per seed or round.

    Raises ValueError where a cell lacks one that another has, or has one twice: arms are compared
    seed by seed and round by round, so a hole would compare unlike things.
    """
    if table.duplicated(["cell", along]).any():
        twice = table[table.duplicated(["cell", along])].iloc[0]
        raise ValueError(f"{along} {twice[along]} occurs twice for {name(twice['cell'])}")
    wide = table.pivot(index="cell", columns=along, values=quantity)
    missing = table.assign(there=1).pivot(index="cell", columns=along, values="there").isna()
    for cell in wide.index[missing.any(axis=1)]:
        holes = ", ".join(str(each) for each in wide.columns[missing.loc[cell]])
        raise ValueError(
            f"{name(cell)} lacks {along} {holes}, which other arms have; run it, or leave it out "
            "for all arms"
        )
    return wide.loc[table["cell"].unique()]


def speeds(timed: pd.DataFrame) -> pd.DataFrame:
    """Speed of each cell: the median step, and the rate that follows from it.

    ``train_time_s`` is the median time of one step, ``train_tokens`` the tokens of one step, and
    the rate is one over the other, so that rate times time is tokens in every table.
    """
    by_cell = timed.groupby("cell", sort=False)
    for cell, tokens in by_cell["train_tokens"].unique().items():
        if len(tokens) > 1:
            raise ValueError(f"{name(str(cell))} was timed on steps of {sorted(tokens)} tokens")
    table = by_cell[["train_time_s", *STEP_PARTS]].median()
    table["train_tokens"] = by_cell["train_tokens"].first()
    table["train_tokens_per_s"] = [
        tokens_per_s(tokens, elapsed)
        for tokens, elapsed in zip(table["train_tokens"], table["train_time_s"], strict=True)
    ]
    table["num_timed_steps"] = by_cell.size()
    for key in ("timing_threads", "timing_is_oversubscribed"):
        table[key] = by_cell[key].first()
    return table


def match(finals: pd.DataFrame, timed: pd.DataFrame) -> None:
    """Raise ValueError unless the same cells were trained and timed."""
    trained, clocked = set(finals["cell"]), set(timed["cell"])
    for found, wanted, what in (
        (clocked, trained, "was trained but not timed; run the timing job again"),
        (trained, clocked, "was timed but not trained; train it, or time without it"),
    ):
        for cell in sorted(wanted - found):
            raise ValueError(f"{name(cell)} {what}")


def name(cell: str) -> str:
    """Short name of a cell, for messages."""
    values = json.loads(cell)
    router, factor = str(values["router"]), values["capacity_factor"]
    return router if factor is None else f"{router} at capacity_factor={factor}"


def _comparable(finals: pd.DataFrame) -> None:
    """Raise ValueError for runs of several experiments or texts, and for a run without a score."""
    for key in ("experiment", "corpus", "tokenizer"):
        if finals[key].nunique() > 1:
            raise ValueError(
                f"runs differ in {key} ({', '.join(sorted(set(finals[key])))}) and their scores do "
                "not compare; give each its own table"
            )
    diverged = finals[~np.isfinite(finals["val_nll_nats"])]
    for cell, seed in zip(diverged["cell"], diverged["seed"], strict=True):
        raise ValueError(
            f"{name(cell)} diverged at seed {seed}: its val_nll_nats is not a finite number; lower "
            "learning_rate, or leave the arm out"
        )


def cell(row: Row) -> str:
    """The cell of a row: all that its run was asked for, but for the seed."""
    return json.dumps(settings(row.spec), sort_keys=True)


def _outcome(row: Row) -> dict[str, Any]:
    return {"seed": row.spec["seed"]} | row.values | {key: row.setting[key] for key in SETTING}
