"""What an answer is made of: sentences, and the place in a table of every number in them."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import pandas as pd

from moebench.figures import networks
from moebench.figures.ticks import seconds

Status = Literal["answered", "open", "cannot say"]
Tables = Mapping[str, pd.DataFrame]  # by the name of the file, without its ending

# How a number of a table is shown; the key stands in the evidence, so that it can be checked.
FORMS: dict[str, Callable[[Any], str]] = {
    "count": lambda value: f"{int(value):,}",
    "two decimals": lambda value: f"{value:.2f}",
    "three decimals": lambda value: f"{value:.3f}",
    "percent": lambda value: f"{value:.1%}",
    "nats as a share of the perplexity": lambda value: f"{abs(math.expm1(value)):.1%}",
    "nats as a signed share of the perplexity": lambda value: f"{math.expm1(value):+.1%}",
    "nats, sides exchanged, as a signed share of the perplexity": (
        lambda value: f"{math.expm1(-value):+.1%}"
    ),
    "duration": seconds,
    "parameters": networks.size,
}


@dataclass(frozen=True)
class Number:
    """A number or a name in a sentence: how it is shown, and where it stands.

    A name has neither column nor value: its digits are those of the row's key.
    """

    shown: str
    table: str
    row: Mapping[str, Any]
    column: str | None = None
    value: Any = None
    form: str | None = None


@dataclass(frozen=True)
class Line:
    """A row of a table, and the columns that single it out."""

    table: str
    values: Mapping[str, Any]
    key: tuple[str, ...]

    @property
    def row(self) -> dict[str, Any]:
        """The key's columns and values; None for null."""
        return {name: _plain(self.values[name]) for name in self.key}

    def __getitem__(self, column: str) -> Any:
        return self.values[column]


@dataclass
class Quotes:
    """Puts numbers into sentences and keeps account of each."""

    numbers: list[Number] = field(default_factory=list)

    def __call__(self, line: Line, column: str, form: str) -> str:
        """The number in a column of a row, as a reader sees it."""
        value = _plain(line[column])
        shown = FORMS[form](value)
        self._keep(Number(shown, line.table, line.row, column, value, form))
        return shown

    def name(self, line: Line, shown: str) -> str:
        """A name whose digits come from the key of a row."""
        self._keep(Number(shown, line.table, line.row))
        return shown

    def interval(self, line: Line, column: str, form: str) -> str:
        """Both ends of a number's interval; words where there is none."""
        return self.ends(line, (f"{column}_low", f"{column}_high"), form)

    def ends(self, line: Line, columns: tuple[str, str], form: str) -> str:
        """The ends of an interval that stand in two columns; words where there is none."""
        if any(pd.isna(line[column]) for column in columns):
            return "no interval: too few repetitions"
        return " to ".join(self(line, column, form) for column in columns)

    def _keep(self, number: Number) -> None:
        if number not in self.numbers:
            self.numbers.append(number)


@dataclass(frozen=True)
class Answer:
    """One question, what can be said, why, what would change it, and where it all stands."""

    key: str
    question: str
    terms: str
    status: Status
    verdict: str
    because: list[str] = field(default_factory=list)
    would_change: list[str] = field(default_factory=list)
    figure: str | None = None
    numbers: list[Number] = field(default_factory=list)

    def plain(self) -> dict[str, Any]:
        """The answer as JSON has it."""
        return asdict(self)


def lines(tables: Tables, name: str, key: tuple[str, ...]) -> Iterator[Line]:
    """Rows of a table, each singled out by its key."""
    table = tables[name]
    assert not table.duplicated(list(key)).any(), f"{key} is no key of table {name}"
    for values in table.to_dict("records"):
        yield Line(name, {str(column): value for column, value in values.items()}, key)


def _plain(value: Any) -> Any:
    """A value that JSON knows; None for null."""
    if pd.isna(value):
        return None
    return value.item() if hasattr(value, "item") else value
