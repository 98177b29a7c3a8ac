"""Rows: one JSON object per reading, raw, each with its whole spec and setting.

Tables are derived from rows and from nothing else. Rows that were measured on unlike devices refuse
to be read together.
"""

import contextlib
import errno
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

SCHEMA = 1

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

# Means over rows that differ in one of these would be means over unlike things.
ALIKE = ("device", "dtype")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One reading: what was read, of which run, under which setting."""

    kind: str  # train_step, validation, final, timed_step
    spec: dict[str, Any]
    setting: dict[str, Any]
    values: dict[str, Any]  # quantities, with the unit in the name
    schema: int = SCHEMA


def write(rows: Iterable[Row], path: str | Path) -> None:
    """Write rows, one JSON object a line; the file appears under its name only when it is whole."""
    lines = "".join(json.dumps(asdict(row), sort_keys=True) + "\n" for row in rows)
    write_text(lines, path)


def write_text(text: str, path: str | Path) -> None:
    """Write a text file that is either absent, old or whole, whenever the machine stops."""
    write_bytes(text.encode(), path)


def write_bytes(content: bytes, path: str | Path) -> None:
    """Write a file that is either absent, old or whole, whenever the machine stops."""
    with whole(path) as file:
        file.write(content)


@contextlib.contextmanager
def whole(path: str | Path) -> Iterator[BinaryIO]:
    """A file to write to that gets its name only when it is whole, whenever the machine stops.

    Raises OSError, in one line, where the disk is full; what was begun makes room again.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    try:
        with open(partial, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
    except (OSError, RuntimeError) as error:
        partial.unlink(missing_ok=True)
        reason = _no_room(error)
        if reason is None:
            raise
        raise OSError(
            reason.errno,
            f"{reason.strerror}: {path} cannot be written; make room, then run the same command "
            "again",
        ) from None
    partial.replace(path)


def _no_room(error: BaseException | None) -> OSError | None:
    """The refusal of a full disk or quota behind an error; torch hides it behind one of its own."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            return error
        error = error.__context__
    return None


def read(
    paths: Sequence[str | Path], kinds: Sequence[str] = (), alike: Sequence[str] = ALIKE
) -> list[Row]:
    """Read the rows of the given kinds (of all, if none is given) from files.

    Raises ValueError for rows of another schema, and for rows that differ in what must be
    ``alike``: what the reader does not tell apart.
    """
    rows = []
    for path in paths:
        for line in Path(path).read_text(encoding="utf-8").splitlines():
            row = Row(**json.loads(line))
            if row.schema != SCHEMA:
                raise ValueError(
                    f"{path}: rows of schema {row.schema}, this version reads {SCHEMA}"
                )
            if not kinds or row.kind in kinds:
                rows.append(row)
    for key in alike:
        seen = {str(row.setting[key]) for row in rows}
        if len(seen) > 1:
            raise ValueError(
                f"rows differ in {key} ({', '.join(sorted(seen))}) and cannot share a table; "
                "measure all of them on one machine, or give each its own experiment"
            )
    return rows
