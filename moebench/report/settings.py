"""With which settings, on which machine: read from the rows, not from today's config."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from moebench.records import Row
from moebench.report import rst

LIST_UP_TO = 6  # different values; beyond, their number
PER_RUN = ("time",)  # differs with every row and says nothing about the machine


def page(rows: Sequence[Row]) -> list[str]:
    """Parts of the page on settings and machine."""
    machine = distinct([row.setting for row in rows])
    parts = [rst.heading("Machine and software", 1), rst.table(["what", "value"], machine)]
    for name in dict.fromkeys(row.spec["experiment"] for row in rows):
        specs = [row.spec for row in rows if row.spec["experiment"] == name]
        parts += [
            rst.heading(f"Settings of {name}", 1),
            rst.table(["key", "value"], distinct(specs)),
        ]
    return parts


def distinct(records: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Each dotted key with the value it has in all records, or the values it has."""
    seen: dict[str, dict[str, None]] = {}
    for record in records:
        for key, value in _flat(record):
            seen.setdefault(key, {})[str(value)] = None
    return [(key, _shown(list(values))) for key, values in seen.items() if key not in PER_RUN]


def _flat(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in record.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _shown(values: list[str]) -> str:
    return ", ".join(values) if len(values) <= LIST_UP_TO else f"{len(values)} different values"
