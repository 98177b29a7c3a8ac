"""The ledger: a verdict on every claim, on what was published and on what this run measured."""

import ast
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from moebench import tables
from moebench.analysis.claims import language, readings
from moebench.analysis.claims.entries import Claim, ClaimsFile, Trial
from moebench.analysis.claims.evaluate import judge
from moebench.analysis.claims.language import ClaimError
from moebench.analysis.claims.later_tokens import in_view
from moebench.analysis.claims.outcome import (
    NOT_TESTABLE,
    REFUTED,
    SUPPORTED,
    TIE,
    UNDERPOWERED,
    Outcome,
)
from moebench.analysis.claims.readings import Readings
from moebench.analysis.claims.schemas import CLAIMS, HERE, PUBLISHED
from moebench.analysis.claims.smallest import smallest_effect
from moebench.analysis.claims.view import Missing, View

Tables = Mapping[str, pd.DataFrame]
Entry = dict[str, Any]
COUNTED = {
    "num_supported": SUPPORTED,
    "num_refuted": REFUTED,
    "num_tied": TIE,
    "num_underpowered": UNDERPOWERED,
}
NOT_MADE = "this run makes no table {}; its config leaves that experiment or room out"


def ledger(
    found: ClaimsFile, published: Tables, here: Tables, drawn: Collection[str]
) -> pd.DataFrame:
    """Two rows for each claim; figures that this run does not draw are not named.

    Raises ClaimError, with the claim's id, where a predicate does not fit a published table. Where
    it does not fit the rows of this run, it is not testable here.
    """
    given = {PUBLISHED: published, HERE: here}
    lines = []
    read: dict[tuple[str, ...], Readings] = {}
    for key, claim in found.claims.items():
        for data, tables_given in given.items():
            line = _line(key, claim, found.sources[claim.source], data, drawn)
            lines.append(line | _tried(key, claim, data, tables_given, read))
    table = pd.DataFrame(lines, columns=list(CLAIMS.columns))
    return tables.check(table, CLAIMS)


def _line(key: str, claim: Claim, source: str, data: str, drawn: Collection[str]) -> Entry:
    trial = getattr(claim, data)
    is_trial = isinstance(trial, Trial)
    return {
        "id": key,
        "source": source,
        "claim": claim.claim,
        "data": data,
        "smallest_effect": str(smallest_effect(claim.smallest)),
        "tables": " ".join(trial.tables) if is_trial else None,
        "where": trial.where if is_trial else None,
        "predicate": trial.holds if is_trial else None,
        "figure": claim.figure if claim.figure in drawn else None,
        "note": claim.note,
    }


def _tried(
    key: str,
    claim: Claim,
    data: str,
    given: Tables,
    read: dict[tuple[str, ...], Readings],
) -> Entry:
    trial = getattr(claim, data)
    if not isinstance(trial, Trial):
        return _untested(trial)
    made = [name for name in trial.tables if name in given]
    absent = [NOT_MADE.format(name) for name in trial.tables if name not in given]
    if not made:
        return _untested("; ".join(absent))
    place = (data, *made)
    if place not in read:
        read[place] = _read(data, made, given)
    view = View.whole(read[place], smallest_effect(claim.smallest))
    try:
        view = view.where(trial.condition) if trial.condition else view
        outcome = judge(trial.predicate, view)
        beside = _with_later_tokens(trial.predicate, view, outcome)
    except Missing as reason:
        return _untested(str(reason))
    except ClaimError as error:
        if data == HERE:  # which rows there are depends on the config
            return _untested(f"the rows of this run do not fit: {error}")
        raise ClaimError(f"claim {key}, {data}: {error}") from None
    return _tested(replace(outcome, left_out=(*absent, *outcome.left_out))) | beside


def _read(data: str, names: Sequence[str], given: Tables) -> Readings:
    if data == PUBLISHED:
        return readings.published([(name, given[name]) for name in names])
    return readings.measured([(name, given[name], given.get(f"{name}_summary")) for name in names])


def _with_later_tokens(predicate: ast.expr, view: View, outcome: Outcome) -> Entry:
    """What scores with later tokens in view say, where that is not what causal ones say."""
    other = in_view(predicate)
    if not language.columns(other) <= set(view.readings.frame):
        return {}
    seen = judge(other, view)
    if [term.effect for term in seen.terms] == [term.effect for term in outcome.terms]:
        return {}
    return {
        "later_tokens_verdict": seen.verdict,
        "later_tokens_decided_by": seen.decisive.told(),
    }


def _untested(reason: str) -> Entry:
    return {"verdict": NOT_TESTABLE, "reason": reason, "num_comparisons": 0} | dict.fromkeys(
        COUNTED, 0
    )


def _tested(outcome: Outcome) -> Entry:
    term = outcome.decisive
    counts = Counter(each.verdict for each in outcome.terms)
    return {
        "verdict": outcome.verdict,
        "decided_by": term.told(),
        "effect": term.effect,
        "effect_low": term.low if np.isfinite(term.low) else None,
        "effect_high": term.high if np.isfinite(term.high) else None,
        "num_comparisons": len(outcome.terms),
        "left_out": "; ".join(outcome.left_out) or None,
        **{name: counts[verdict] for name, verdict in COUNTED.items()},
    }
