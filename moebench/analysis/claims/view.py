"""Rows that an expression sees, and numbers that remember which rows they come from."""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from moebench.analysis.claims.language import ClaimError
from moebench.analysis.claims.readings import Readings
from moebench.analysis.claims.smallest import Smallest
from moebench.analysis.statistics import Array

COMPARED: dict[type, Any] = {
    ast.Eq: lambda column, value: column == value,
    ast.NotEq: lambda column, value: column.notna() & (column != value),
    ast.Lt: lambda column, value: column < value,
    ast.LtE: lambda column, value: column <= value,
    ast.Gt: lambda column, value: column > value,
    ast.GtE: lambda column, value: column >= value,
    ast.In: lambda column, value: column.isin(value),
    ast.NotIn: lambda column, value: column.notna() & ~column.isin(value),
}


class Missing(Exception):
    """Rows or values are not there that a claim is about, so that it cannot be tested on them."""


@dataclass(frozen=True)
class Numbers:
    """One number a row (R, 1 + D), estimate first; ``rows`` is None for a lone number."""

    x_RD: Array
    rows: tuple[int, ...] | None

    def paired(self, other: "Numbers") -> tuple[Array, Array, tuple[int, ...] | None]:
        """Both with as many rows: of the same rows, or one of them repeated for the other's."""
        if self.rows is not None and other.rows is not None and self.rows != other.rows:
            raise ClaimError(
                f"sets {len(self.rows)} rows against {len(other.rows)} others; keep one on either "
                "side with [...], or say by= which belong together"
            )
        rows = other.rows if self.rows is None else self.rows
        shape = (max(len(self.x_RD), len(other.x_RD)), self.x_RD.shape[1])
        return np.broadcast_to(self.x_RD, shape), np.broadcast_to(other.x_RD, shape), rows


@dataclass(frozen=True)
class View:
    """Some rows of a table, and the smallest effect that matters among them."""

    readings: Readings
    rows: NDArray[np.intp]
    smallest: Smallest

    @classmethod
    def whole(cls, readings: Readings, smallest: Smallest) -> "View":
        """All rows."""
        return cls(readings, np.arange(len(readings.frame)), smallest)

    def values(self, name: str) -> "pd.Series[Any]":
        """A column of its rows, as the table has it."""
        return self.readings.frame[name].iloc[self.rows]

    def where(self, condition: ast.expr) -> "View":
        """The rows for which a condition holds; Missing where there is none."""
        held = self.holds(condition)
        if not held.any():
            raise Missing(f"no row where {ast.unparse(condition)}")
        return replace(self, rows=self.rows[held])

    def others(self, condition: ast.expr) -> "View":
        """The rows for which it does not hold; Missing where there is none."""
        return self.where(ast.UnaryOp(ast.Not(), condition))

    def holds(self, node: ast.expr) -> NDArray[np.bool_]:
        """For which rows a condition holds; a null holds in no comparison."""
        if isinstance(node, ast.BoolOp):
            parts = [self.holds(each) for each in node.values]
            together = np.logical_and if isinstance(node.op, ast.And) else np.logical_or
            return np.asarray(together.reduce(parts), bool)
        if isinstance(node, ast.UnaryOp):
            return ~self.holds(node.operand)
        assert isinstance(node, ast.Compare)
        assert isinstance(node.left, ast.Name)
        value = ast.literal_eval(node.comparators[0])
        held = COMPARED[type(node.ops[0])](self.values(node.left.id), value)
        return np.asarray(held.fillna(False), bool)

    def groups(self, columns: Sequence[str]) -> Iterator[tuple[str, "View"]]:
        """Rows with equal columns, in order, each with its name; nulls are values of their own."""
        frame = self.readings.frame[list(columns)].iloc[self.rows].reset_index(drop=True)
        for values, part in frame.groupby(list(columns), dropna=False, sort=True).indices.items():
            alike = values if isinstance(values, tuple) else (values,)
            named = zip(columns, alike, strict=True)
            name = ", ".join(f"{key}={_plain(value)}" for key, value in named)
            yield name, replace(self, rows=self.rows[part])

    def column(self, name: str) -> Numbers:
        """A column of numbers; Missing where a row has none."""
        if not pd.api.types.is_numeric_dtype(self.readings.frame[name]):
            raise ClaimError(f"column {name!r} holds no numbers; compare it inside [...]")
        x_RD = self.readings.column(name, self.rows)
        num_null = int(np.isnan(x_RD[:, 0]).sum())
        if num_null:
            raise Missing(f"{name} is null in {num_null} of {len(x_RD)} rows{self._reasons()}")
        return self.numbers(x_RD)

    def _reasons(self) -> str:
        """Why there is no number, where the table says so."""
        names = [name for name in map(str, self.readings.frame) if name.endswith("_reason")]
        told = [self.values(name).dropna() for name in names]
        found = dict.fromkeys(text for column in told for text in column)
        return f" ({'; '.join(found)})" if found else ""

    def numbers(self, x_RD: Array) -> Numbers:
        """Numbers of these rows; that of a single row is a lone number."""
        return Numbers(x_RD, tuple(self.rows.tolist()) if len(x_RD) > 1 else None)

    def lone(self, value: float) -> Numbers:
        """A constant."""
        return Numbers(np.full((1, 1 + self.readings.num_draws), value), None)


def _plain(value: Any) -> str:
    """A value as a person writes it: whole numbers without a point, null as a dash."""
    if pd.isna(value):
        return "–"
    return f"{value:g}" if isinstance(value, float) else str(value)
