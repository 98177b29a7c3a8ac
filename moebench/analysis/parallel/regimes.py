"""Regimes: which layout is the fastest at which size, and where nothing tells it from another."""

from typing import Any

import pandas as pd

from moebench import tables
from moebench.analysis.parallel.derived import REGIMES, SIZE


def regimes(cells: pd.DataFrame) -> pd.DataFrame:
    """One line per size, from the table of cells.

    The fastest layout has the lowest median. A layout ties with it where the 95 % intervals of the
    two medians overlap, which is stricter about calling a difference than a test of it; without
    intervals nothing is told apart, so everything ties. A size that several sweeps measured is
    judged in each of them: a tie in one is a tie, and so are two winners.
    """
    found = [
        _judged(dict(zip(SIZE, key, strict=True)), group)
        for key, group in cells.groupby(list(SIZE), sort=True)
    ]
    return tables.check(pd.DataFrame(found), REGIMES)


def _judged(key: dict[str, Any], group: pd.DataFrame) -> dict[str, Any]:
    ranked = group.sort_values(["median_duration_s", "layout"], kind="stable")
    best = ranked.iloc[0]
    tied = {name for _, sweep in ranked.groupby("sweep") for name in _contenders(sweep)}
    tied.discard(best["layout"])
    rivals = ranked[ranked["layout"] != best["layout"]]
    runner_up = None if rivals.empty else rivals.iloc[0]
    predicted = ranked.dropna(subset=["predicted_duration_s"])
    return key | {
        "oversubscribed": best["oversubscribed"],
        "num_layouts": ranked["layout"].nunique(),
        "fastest_layout": best["layout"],
        "fastest_median_s": best["median_duration_s"],
        "tied_with": " ".join(sorted(tied)) or None,
        "is_tie": bool(tied),
        "runner_up_layout": None if runner_up is None else runner_up["layout"],
        "runner_up_ratio": (
            None
            if runner_up is None
            else runner_up["median_duration_s"] / best["median_duration_s"]
        ),
        "predicted_fastest_layout": (
            None
            if predicted.empty
            else predicted.loc[predicted["predicted_duration_s"].idxmin(), "layout"]
        ),
    }


def _contenders(sweep: pd.DataFrame) -> list[str]:
    """The fastest layout of one sweep, and those that nothing tells from it."""
    best = sweep.loc[sweep["median_duration_s"].idxmin()]
    is_slower = sweep["median_low_s"] > best["median_high_s"]  # false where either is null
    return list(sweep.loc[~is_slower | (sweep["layout"] == best["layout"]), "layout"])
