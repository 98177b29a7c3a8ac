"""Contrasts: which differences in quality the seeds can tell from none.

Declared before any run: every pair of arms that differ in one thing only, be it the router or a
swept setting. The pairs that answer one question are a family (which router is better at this
capacity factor? what does the capacity factor do?), and the verdict on each pair holds for its
family as a whole: it follows the Holm-adjusted p-value, so that in 95 of 100 experiments no pair
without a difference is called different. The interval is of the one pair alone, unadjusted.
A second interval also says what another text of the kind may show (``other_text``). Ties are told
apart into equivalent and undecided ones (``equivalence``), again for the family as a whole.

Every test takes its scatter from all arms of the experiment, not from its two alone, which assumes
that arms scatter alike around their seed; what follows where they do not stands in
``moebench.analysis.blocks``.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from moebench import tables
from moebench.analysis import cells, equivalence, other_text
from moebench.analysis.blocks import block_differences
from moebench.analysis.schemas import CONTRASTS
from moebench.analysis.statistics import SIGNIFICANCE
from moebench.records import Row
from moebench.spec import StatisticsSpec

Arm = dict[str, Any]

GAP = "val_nll_difference_nats"
SIDED = ("router", "capacity_factor", "gate", "drop_policy", "value")
DECLARED = StatisticsSpec()
MIRROR = {"lower": "higher", "higher": "lower", "tie": "tie", None: None}  # with sides exchanged
SEED = 0  # of the draws of documents: equal rows give equal tables
IDENTITY = ["factor", "family", *(f"{what}_{side}" for side in "ab" for what in SIDED)]


def contrasts(rows: Sequence[Row], statistics: StatisticsSpec = DECLARED) -> pd.DataFrame:
    """One line per pair: causal NLL of a minus that of b over the same seeds; is a better?"""
    finals = cells.final_rows(rows)
    nll = cells.crossed(finals, "seed", "val_nll_causal_nats")
    keys = cells.setting_keys([row for row in rows if row.kind == "final"])
    arms = finals.drop_duplicates("cell")[keys]
    levels = cells.swept(arms, keys)
    known = [
        {key: arm[key] for key in keys if pd.notna(arm[key])} for arm in arms.to_dict("records")
    ]
    factors = _pairs(known)
    table = pd.DataFrame(
        [_identity(known[i], known[j], factor, levels) for (i, j), factor in factors.items()],
        columns=IDENTITY,
    )
    difference = block_differences(nll.to_numpy(), list(factors))
    table[GAP] = difference.mean
    table[f"{GAP}_low"], table[f"{GAP}_high"] = difference.low, difference.high
    table["num_seeds"], table["p_value"] = nll.shape[1], difference.p_value
    table["p_value_holm"] = table.groupby("family")["p_value"].transform(equivalence.holm)
    table["verdict"] = pd.array(
        [verdict(gap, p) for gap, p in zip(table[GAP], table["p_value_holm"], strict=True)],
        dtype="str",
    )
    margin_nats = math.log1p(statistics.ppl_margin)
    equivalence.judge(table, nll.to_numpy(), GAP, margin_nats, less_is_better=True)
    table = table.rename(
        columns={name: f"{name}_nats" for name in ("margin", "minimum_detectable")}
    )
    text = other_text.text_intervals(
        nll.to_numpy(), _documents(rows, nll), list(factors), np.random.default_rng(SEED)
    )
    table[f"{GAP}_text_low"], table[f"{GAP}_text_high"] = text.low, text.high
    return tables.check(table, CONTRASTS)


def verdict(difference: float, p_value: float) -> str | None:
    """``lower`` or ``higher`` where a difference is told from none, else ``tie``; None untested."""
    if np.isnan(p_value):
        return None
    if p_value >= SIGNIFICANCE:
        return "tie"
    return "lower" if difference < 0 else "higher"


def family_name(factor: str, shared: Mapping[str, Any]) -> str:
    """Name of the pairs that differ in a factor and share the other swept settings."""
    return ", ".join([factor, *(f"{key}={value}" for key, value in shared.items())])


def _pairs(arms: Sequence[Arm]) -> dict[tuple[int, int], str]:
    """Pairs of arms that differ in one thing only, and which."""
    differing = {
        (i, j): _differing(arms[i], arms[j]) for i, j in itertools.combinations(range(len(arms)), 2)
    }
    return {pair: found[0] for pair, found in differing.items() if len(found) == 1}


def _differing(a: Arm, b: Arm) -> list[str]:
    """Settings that both arms have and that differ; routers are one factor with their options."""
    found = [key for key in a.keys() & b.keys() if a[key] != b[key]]
    return ["router"] if sorted(found) == ["router", "router_options"] else found


def _identity(a: Arm, b: Arm, factor: str, levels: list[str]) -> Arm:
    """Who is compared, in what, and with which other pairs: those at equal other swept settings."""
    shared = {key: (a | b)[key] for key in levels if key != factor and key in a | b}
    identity: Arm = {"factor": factor, "family": family_name(factor, shared)}
    for side, arm in (("a", a), ("b", b)):
        identity[f"router_{side}"] = arm["router"]
        identity[f"capacity_factor_{side}"] = arm.get("capacity_factor")
        identity[f"gate_{side}"] = arm.get("gate")
        identity[f"drop_policy_{side}"] = arm.get("drop_policy")
        identity[f"value_{side}"] = str(arm[factor])
    return identity


def _documents(rows: Sequence[Row], nll: pd.DataFrame) -> other_text.Documents | None:
    """Causal NLL of each held-out document, mean over seeds; None if arms have unlike documents."""
    by_cell: dict[str, list[list[float]]] = {cell: [] for cell in nll.index}
    lengths = set()
    for row in rows:
        if row.kind == "final":
            by_cell[cells.cell(row)].append(row.values["val_nll_document_causal_nats"])
            lengths.add(tuple(row.values["val_document_tokens"]))
    if len(lengths) > 1:
        return None
    nll_AK = np.array(list(by_cell.values())).mean(axis=1)
    return other_text.Documents(np.array(lengths.pop(), dtype=float), nll_AK)
