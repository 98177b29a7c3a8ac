"""Comparison: the two published tables beside what was measured here, cell by cell."""

from typing import Any

import pandas as pd

from moebench import tables
from moebench.analysis.parallel.derived import COMPARISON

# Who stands beside a published layout: what does as the report's code did, and what does the same
# job with the fewest calls and collectives.
DONE_WELL = {"Simple": "single", "TP": "tensor", "EP": "expert"}
CELL = ["world_size", "num_experts", "batch_size", "top_k"]


def compare_published(cells: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """One line per published duration and layout here, forward, at the same size.

    Where a report states no width, the smallest that was measured at that size stands beside it;
    ``measured_feature_dim`` names it.
    """
    forward = cells[cells["direction"] == "forward"].drop_duplicates(
        ["layout", *CELL, "feature_dim", "hidden_dim", "output_dim"]
    )
    lines = [
        _beside(line, role, layout, forward)
        for line in published.to_dict("records")
        for role, layout in (
            ("same design", line["layout"]),
            ("done well", DONE_WELL[line["published_layout"]]),
        )
    ]
    found = pd.DataFrame(
        [line for line in lines if line is not None], columns=list(COMPARISON.columns)
    )
    return tables.check(found, COMPARISON)


def _beside(
    published: dict[Any, Any], role: str, layout: str, forward: pd.DataFrame
) -> dict[Any, Any] | None:
    """One line, or None where nothing was measured at this size."""
    wanted = {name: published[name] for name in CELL} | {"layout": layout}
    for name in ("feature_dim", "hidden_dim", "output_dim"):
        if not pd.isna(published[name]):
            wanted[name] = published[name]
    same = forward[(forward[list(wanted)] == list(wanted.values())).all(axis=1)]
    if same.empty:
        return None
    mine = same.sort_values("feature_dim", kind="stable").iloc[0]
    kept = {name: published[name] for name in COMPARISON.columns if name in published}
    here = ("oversubscribed", "median_duration_s", "median_low_s", "median_high_s")
    return (
        kept
        | {name: mine[name] for name in (*here, "first_block_ratio")}
        | {
            "role": role,
            "layout": layout,
            "measured_feature_dim": mine["feature_dim"],
            "published_over_measured": published["published_duration_s"]
            / mine["median_duration_s"],
        }
    )
