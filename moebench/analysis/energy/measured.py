"""Rows that were brought home from another machine, as they lie in ``resources/measured``."""

import gzip
import json
from pathlib import Path

from moebench.records import SCHEMA, Row


def read(path: str | Path) -> list[Row]:
    """Read gzipped rows; ValueError where the file is not one, or is of another schema."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            rows = [Row(**json.loads(line)) for line in file]
    except (gzip.BadGzipFile, EOFError, json.JSONDecodeError, TypeError) as error:
        raise ValueError(f"{path}: not a gzipped file of rows ({error}); copy it again") from None
    others = {row.schema for row in rows} - {SCHEMA}
    if others or not rows:
        found = f"rows of schema {sorted(others)}" if others else "no rows"
        raise ValueError(f"{path}: {found}, this version reads schema {SCHEMA}; measure again")
    return rows


def date(rows: list[Row]) -> str:
    """The day, or the first and the last, on which rows were measured."""
    days = sorted({str(row.setting["time"])[:10] for row in rows})
    return days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
