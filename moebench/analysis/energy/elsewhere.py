"""Measured elsewhere: published points, and rows that were brought home from another machine."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from moebench import tables
from moebench.analysis.energy.cells import cells
from moebench.analysis.energy.derived_schemas import ELSEWHERE
from moebench.analysis.energy.doubles import refuse
from moebench.analysis.energy.published import points


def elsewhere(
    published: pd.DataFrame, measured: Sequence[tuple[str, str, pd.DataFrame]]
) -> pd.DataFrame:
    """Points of the published windows and of each (path, date, windows) brought home."""
    parts = [points(published), *(brought_home(*each) for each in measured)]
    return tables.check(pd.concat(parts, ignore_index=True), ELSEWHERE)


def brought_home(path: str | Path, date: str, windows: pd.DataFrame) -> pd.DataFrame:
    """Cells of windows that were measured on another machine, on that date."""
    refuse(windows, str(path))
    summary = cells(windows).dropna(subset=["inferences_per_s"])
    described = summary.assign(
        origin="measured",
        date=date,
        accuracy=summary["heldout_accuracy"],
        accuracy_of="held-out set",
        source=Path(path).as_posix(),
    )
    return tables.check(described[list(ELSEWHERE.columns)], ELSEWHERE)
