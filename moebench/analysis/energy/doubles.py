"""Test doubles: pretended meters, whose readings no table, figure or sentence may hold."""

import pandas as pd

from moebench.meters.base import refuse_doubles

NAMED = ("device", "energy_method", "energy_reason")


def refuse(windows: pd.DataFrame, where: str) -> None:
    """Raise ValueError where a window names a test double as its device or meter."""
    for column in NAMED:
        refuse_doubles(windows[column].dropna().unique(), where)
