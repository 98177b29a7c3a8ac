"""Kinds of columns that tables are made of: what a value may be, and what must enclose what."""

import numpy as np
import pandas as pd
import pandera.pandas as pa

from moebench.analysis.statistics import Interval

Columns = dict[str, pa.Column]


def text(nullable: bool = False) -> pa.Column:
    """Any text."""
    return pa.Column(str, nullable=nullable)


def count(nullable: bool = False) -> pa.Column:
    """A whole number, not negative; a null keeps the column's numbers whole."""
    return pa.Column("Int64" if nullable else int, pa.Check.ge(0), nullable=nullable)


def real(low: float = -np.inf, high: float = np.inf, nullable: bool = False) -> pa.Column:
    """A finite number within its bounds, or null where that is allowed."""
    finite = pa.Check(np.isfinite, error="not a finite number")
    return pa.Column(float, [finite, pa.Check.in_range(low, high)], nullable=nullable)


def positive(nullable: bool = False) -> pa.Column:
    """A finite number above 0."""
    return pa.Column(float, [pa.Check.gt(0), pa.Check.lt(np.inf)], nullable=nullable)


def interval(quantity: str, low: float = 0) -> Columns:
    """Both ends of a quantity's interval, null where a sample is too small for one."""
    return {
        f"{quantity}_low": real(low, nullable=True),
        f"{quantity}_high": real(low, nullable=True),
    }


def add_interval(table: pd.DataFrame, quantity: str, ends: Interval) -> None:
    """Add both ends of a quantity's interval."""
    table[f"{quantity}_low"], table[f"{quantity}_high"] = ends


def conserves(rate: str, amount: str, result: str) -> pa.Check:
    """A rate times an amount is the result, in every row that has all three."""

    def holds(table: pd.DataFrame) -> "pd.Series[bool]":
        is_known = table[[rate, amount, result]].notna().all(axis=1)
        ratio = table[rate] * table[amount] / table[result]
        return ~is_known | ((ratio - 1).abs() < 1e-9)  # nothing over nothing is no agreement

    return pa.Check(holds, error=f"{rate} * {amount} is not {result}")


def encloses(value: str, low: str, high: str) -> pa.Check:
    """A value lies between two others of its row, or there is no interval."""

    def ordered(table: pd.DataFrame) -> "pd.Series[bool]":
        ends = table[low].isna() & table[high].isna()
        return ends | (table[low] <= table[value]) & (table[value] <= table[high])

    return pa.Check(ordered, error=f"{value} is not within {low} and {high}")
