"""Measured elsewhere: published points, and rows that were brought home from another machine."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from moebench import tables
from moebench.analysis.energy import measured
from moebench.analysis.energy.cells import cells
from moebench.analysis.energy.derived_schemas import ELSEWHERE
from moebench.analysis.energy.doubles import refuse
from moebench.analysis.energy.published import points
from moebench.analysis.energy.tabulate import tabulate_windows


def elsewhere(
    published: pd.DataFrame, brought: Sequence[tuple[str, str, pd.DataFrame]]
) -> pd.DataFrame:
    """Points of the published windows and of each (path, date, windows) brought home."""
    parts = [points(published), *(brought_home(*each) for each in brought)]
    return tables.check(pd.concat(parts, ignore_index=True), ELSEWHERE)


def read_measured(path: str | Path) -> tuple[str, str, pd.DataFrame]:
    """Path, date and windows of gzipped rows; ValueError for a damaged file or a test double."""
    rows = measured.read(path)
    return str(path), measured.date(rows), tabulate_windows(rows)


def brought_home(path: str | Path, date: str, windows: pd.DataFrame) -> pd.DataFrame:
    """Cells of windows that were measured on another machine, on that date."""
    refuse(windows, str(path))
    summary = cells(windows).dropna(subset=["inferences_per_s"])
    described = summary.assign(
        origin="measured",
        date=date,
        source=Path(path).as_posix(),
    )
    return tables.check(described[list(ELSEWHERE.columns)], ELSEWHERE)
