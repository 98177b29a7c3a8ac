"""Contrasts: which differences in quality the seeds can tell from none.

Declared before any run: every pair of arms that differ in one thing only, be it the router or a
swept setting. The pairs that answer one question are a family (which router is better at this
capacity factor? what does the capacity factor do?), and the verdict on each pair holds for its
family as a whole: it follows the Holm-adjusted p-value, so that in 95 of 100 experiments no pair
without a difference is called different. The interval is of the one pair alone, unadjusted.
"""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from statsmodels.stats.multitest import multipletests

from moebench import tables
from moebench.analysis import cells
from moebench.analysis.schemas import CONTRASTS
from moebench.analysis.statistics import CONFIDENCE, paired_difference
from moebench.records import Row

Arm = dict[str, Any]


def contrasts(rows: Sequence[Row]) -> pd.DataFrame:
    """One line per pair: NLL of a minus NLL of b, paired by seed, and whether a is lower."""
    finals = cells.final_rows(rows)
    nll = cells.crossed(finals, "seed", "val_nll_nats")
    keys = cells.setting_keys([row for row in rows if row.kind == "final"])
    arms = finals.drop_duplicates("cell").set_index("cell")[keys]
    levels = cells.swept(arms, keys)
    known: dict[str, Arm] = {
        str(cell): {key: arm[key] for key in keys if pd.notna(arm[key])}
        for cell, arm in arms.iterrows()
    }
    pairs = []
    for cell_a, cell_b in itertools.combinations(known, 2):
        a, b = known[cell_a], known[cell_b]
        factors = _differing(a, b)
        if len(factors) == 1:
            difference = paired_difference(nll.loc[cell_a].to_numpy(), nll.loc[cell_b].to_numpy())
            pairs.append(
                _identity(a, b, factors[0], levels)
                | {f"val_nll_difference_nats{end}": getattr(difference, part) for end, part in ENDS}
                | {"num_seeds": nll.shape[1], "p_value": difference.p_value}
            )
    table = pd.DataFrame(pairs, columns=[key for key in CONTRASTS.columns if key not in JUDGED])
    table["p_value_holm"] = table.groupby("family")["p_value"].transform(_holm)
    table["verdict"] = [
        verdict(*pair) for pair in zip(table[GAP], table["p_value_holm"], strict=True)
    ]
    return tables.check(table, CONTRASTS)


GAP = "val_nll_difference_nats"
ENDS = (("", "mean"), ("_low", "low"), ("_high", "high"))
JUDGED = ("p_value_holm", "verdict")


def verdict(difference: float, p_value: float) -> str | None:
    """``lower`` or ``higher`` where a difference is told from none, else ``tie``; None if untested."""
    if np.isnan(p_value):
        return None
    if p_value >= 1 - CONFIDENCE:
        return "tie"
    return "lower" if difference < 0 else "higher"


def _differing(a: Arm, b: Arm) -> list[str]:
    """Settings that both arms have and that differ; other options of another router do not count."""
    found = [key for key in a.keys() & b.keys() if a[key] != b[key]]
    return ["router"] if sorted(found) == ["router", "router_options"] else found


def _identity(a: Arm, b: Arm, factor: str, levels: list[str]) -> Arm:
    """Who is compared, in what, and with which other pairs: those at equal other swept settings."""
    shared = {key: (a | b)[key] for key in levels if key != factor and key in a | b}
    family = ", ".join([factor, *(f"{key}={value}" for key, value in shared.items())])
    identity = {"factor": factor, "family": family}
    for side, arm in (("a", a), ("b", b)):
        identity[f"router_{side}"] = arm["router"]
        identity[f"capacity_factor_{side}"] = arm.get("capacity_factor")
        identity[f"value_{side}"] = str(arm[factor])
    return identity


def _holm(p_value: "pd.Series[float]") -> Any:
    if p_value.isna().any():
        return np.nan
    return multipletests(p_value, method="holm")[1]
