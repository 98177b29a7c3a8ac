"""Contrasts of adapters: which differences the seeds can tell from none.

Declared before any run: every pair of arms that differ in one setting only. A setting that one of
both does not have, such as the number of adapters of a single one, is no difference. The pairs
that answer one question are a family, and verdicts follow its Holm-adjusted p-values. The scatter
is pooled over all arms, as in ``moebench.analysis.blocks``.
"""

import itertools
import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from moebench import tables
from moebench.analysis import equivalence
from moebench.analysis.blocks import block_differences
from moebench.analysis.contrasts import verdict
from moebench.analysis.perft import arms
from moebench.analysis.perft.schemas import CONTRASTS, QUANTITIES
from moebench.records import Row
from moebench.spec import StatisticsSpec

Arm = dict[str, Any]
DECLARED = StatisticsSpec()


def contrasts(rows: Sequence[Row], statistics: StatisticsSpec = DECLARED) -> pd.DataFrame:
    """One line per quantity and pair: a minus b over the same seeds, and what can be said of it."""
    finals = arms.final_rows(rows)
    known: Any = finals.drop_duplicates("arm")[["arm", *arms.FACTORS]].to_dict("records")
    factors = pairs(known)
    margins = {
        "answer_nll_nats": math.log1p(statistics.ppl_margin),
        "accuracy": statistics.accuracy_margin,
    }
    parts = []
    for quantity in QUANTITIES:
        values = arms.crossed(finals, "seed", quantity)
        parts.append(_quantity(quantity, values, known, factors))
        equivalence.judge(
            parts[-1], values.to_numpy(), "difference", margins[quantity],
            less_is_better=quantity == "answer_nll_nats",
        )  # fmt: skip
    return tables.check(pd.concat(parts, ignore_index=True), CONTRASTS)


def pairs(known: Sequence[Arm]) -> dict[tuple[int, int], str]:
    """Pairs of arms that differ in one setting only, and in which."""
    differing = {
        (i, j): _differing(known[i], known[j])
        for i, j in itertools.combinations(range(len(known)), 2)
    }
    return {pair: found[0] for pair, found in differing.items() if len(found) == 1}


def _differing(a: Arm, b: Arm) -> list[str]:
    known = [(key, _value(a, key), _value(b, key)) for key in arms.FACTORS]
    return [key for key, of_a, of_b in known if of_a is not None and of_b not in (None, of_a)]


def _value(arm: Arm, key: str) -> Any:
    """A setting of an arm; None for one that it does not have."""
    return arm[key] if pd.notna(arm[key]) else arms.USUAL.get(key)


def _quantity(
    quantity: str, values: pd.DataFrame, known: list[Arm], factors: dict[tuple[int, int], str]
) -> pd.DataFrame:
    table = pd.DataFrame(
        [_identity(known[i], known[j], factor) for (i, j), factor in factors.items()],
        columns=["factor", "family", "arm_a", "arm_b", "value_a", "value_b"],
    )
    found = block_differences(values.to_numpy(), list(factors))
    table["quantity"], table["num_seeds"] = quantity, values.shape[1]
    table["difference"], table["p_value"] = found.mean, found.p_value
    table["difference_low"], table["difference_high"] = found.low, found.high
    table["p_value_holm"] = table.groupby("family")["p_value"].transform(equivalence.holm)
    verdicts = map(verdict, table["difference"], table["p_value_holm"])
    table["verdict"] = pd.array(list(verdicts), dtype="str")
    return table


def _identity(a: Arm, b: Arm, factor: str) -> Arm:
    """Who is compared, in what, and with which other pairs: those of the same other settings."""
    keys = ("rank",) if factor == "variant" else ("variant", "rank", "num_adapters", "top_k")
    shared = {key: _value(a, key) for key in keys if key != factor}
    told = [f"{key}={value}" for key, value in shared.items() if value is not None]
    return {
        "factor": factor,
        "family": ", ".join([factor, *told]),
        "arm_a": a["arm"],
        "arm_b": b["arm"],
        "value_a": str(a[factor]),
        "value_b": str(b[factor]),
    }
