"""Arms of the PERFT room: runs that ask for one adapter and differ in nothing but the seed."""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from moebench.records import Row
from moebench.spec.adapters import AdapterSpec
from moebench.spec.perft import slug

# What tells arms apart: pairs that differ in one of these are contrasted.
FACTORS = (
    "variant",
    "rank",
    "num_adapters",
    "top_k",
    "inner",
    "alpha_over_rank",
    "dropout",
    "router",
    "legacy_weighting",
    "learning_rate",
)
# A variant without a router of its own is compared with routed adapters that train theirs.
USUAL = {"router": "trained"}
# A base with adapters that still add nothing scores as the base alone, but for rounding.
SAME_NATS = 1e-2


def settings(spec: Mapping[str, Any]) -> dict[str, Any]:
    """What a run was asked to be, without its seed; null for what its variant does not have."""
    adapter = _adapter(json.dumps(spec["adapter"]))
    options = adapter.options
    return {
        "arm": slug(adapter),
        "variant": adapter.variant,
        "rank": adapter.rank,
        "num_adapters": options.get("num_adapters"),
        "top_k": options.get("top_k"),
        "inner": adapter.inner,
        "alpha_over_rank": adapter.scale if adapter.inner == "lora" else None,
        "dropout": adapter.dropout,
        "router": options.get("router", "trained") if adapter.variant == "routed" else None,
        "legacy_weighting": options.get("legacy_weighting", False),
        "learning_rate": spec["finetuning"]["learning_rate"],
    }


def final_rows(rows: Sequence[Row]) -> pd.DataFrame:
    """One line per run: its settings, seed and final scores, arms in the order of the rows."""
    finals = [row for row in rows if row.kind == "final"]
    if not finals:
        raise ValueError("there is no final row among the given rows; finetune the adapters first")
    table = pd.DataFrame([_identity(row) | settings(row.spec) | row.values for row in finals])
    for key in ("base", "data", "num_scored_questions", "num_scored_tokens"):
        if table[key].nunique() > 1:
            told = ", ".join(map(str, sorted(set(table[key]))))
            raise ValueError(
                f"runs differ in {key} ({told}) and their scores do not compare; run them again "
                "on one base model and the same questions"
            )
    return table


def crossed(table: pd.DataFrame, along: str, quantity: str) -> pd.DataFrame:
    """Values of a quantity, one line per arm and one column per seed or round.

    Raises ValueError where an arm lacks one that another has, or has one twice.
    """
    if table.duplicated(["arm", along]).any():
        twice = table[table.duplicated(["arm", along])].iloc[0]
        raise ValueError(f"{along} {twice[along]} occurs twice for {twice['arm']}")
    wide = table.pivot(index="arm", columns=along, values=quantity)
    for arm in wide.index[wide.isna().any(axis=1)]:
        holes = ", ".join(str(each) for each in wide.columns[wide.loc[arm].isna()])
        raise ValueError(
            f"{arm} lacks {along} {holes}, which other arms have; run it, or leave it out for all"
        )
    return wide.loc[table["arm"].unique()]


def base_scores(rows: Sequence[Row]) -> dict[str, float]:
    """Scores of the base alone: what every run reads before its first step."""
    first = [row.values for row in rows if row.kind == "validation" and row.values["step"] == 0]
    if not first:
        raise ValueError("there is no validation at step 0 among the given rows; finetune again")
    nll = np.array([values["answer_nll_nats"] for values in first])
    if np.ptp(nll) > SAME_NATS:
        raise ValueError(
            f"before the first step the runs score {nll.min():.4f} to {nll.max():.4f} nats, so "
            "they do not start from one base model; finetune them again"
        )
    return {
        "base_answer_nll_nats": float(nll.mean()),
        "base_accuracy": float(np.mean([values["accuracy"] for values in first])),
    }


def timed_rows(rows: Sequence[Row]) -> pd.DataFrame:
    """One line per timed step: its arm, round and time."""
    timed = [row for row in rows if row.kind == "timed_step"]
    if not timed:
        raise ValueError("there is no timed step among the given rows; run the timing job first")
    return pd.DataFrame([{"arm": settings(row.spec)["arm"]} | row.values for row in timed])


@cache
def _adapter(text: str) -> AdapterSpec:
    """A spec from its JSON; checking one reads the source of its plug-in, so each is read once."""
    return AdapterSpec(**json.loads(text))


def _identity(row: Row) -> dict[str, Any]:
    return {key: row.spec[key] for key in ("experiment", "base", "data", "seed")}
