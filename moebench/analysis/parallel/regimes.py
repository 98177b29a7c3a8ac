"""Regimes: which layout is the fastest at which size, and where nothing tells it from another."""

from typing import Any

import numpy as np
import pandas as pd

from moebench import tables
from moebench.analysis.parallel.derived import REGIMES, SIZE
from moebench.analysis.parallel.schemas import CELL

Cell = dict[str, Any]


def regimes(cells: pd.DataFrame) -> pd.DataFrame:
    """One line per size, from the table of cells.

    The fastest layout has the lowest median. A layout ties with it where the 95 % intervals of the
    two medians overlap, which is stricter about calling a difference than a test of it; without
    intervals nothing is told apart, so everything ties.
    """
    sizes: dict[tuple[Any, ...], list[Cell]] = {}
    measured = cells.drop_duplicates(list(CELL)).sort_values(["median_duration_s", "layout"])
    for cell in measured.to_dict("records"):
        named = {str(name): value for name, value in cell.items()}
        sizes.setdefault(tuple(named[name] for name in SIZE), []).append(named)
    found = [dict(zip(SIZE, size, strict=True)) | _judged(sizes[size]) for size in sorted(sizes)]
    return tables.check(pd.DataFrame(found), REGIMES)


def _judged(ranked: list[Cell]) -> Cell:
    """Verdict on the cells of one size, fastest first."""
    best = ranked[0]
    rivals = ranked[1:]
    tied = [cell["layout"] for cell in rivals if not cell["median_low_s"] > best["median_high_s"]]
    predicted = [cell for cell in ranked if not np.isnan(cell["predicted_duration_s"])]
    expected = min(predicted, key=lambda cell: cell["predicted_duration_s"], default=None)
    return {
        "oversubscribed": best["oversubscribed"],
        "num_layouts": len(ranked),
        "fastest_layout": best["layout"],
        "fastest_median_s": best["median_duration_s"],
        "tied_with": " ".join(sorted(tied)) or None,
        "is_tie": bool(tied),
        "runner_up_layout": rivals[0]["layout"] if rivals else None,
        "runner_up_ratio": (
            rivals[0]["median_duration_s"] / best["median_duration_s"] if rivals else None
        ),
        "predicted_fastest_layout": expected["layout"] if expected else None,
    }
