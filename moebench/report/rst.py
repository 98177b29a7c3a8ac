"""Pieces of reStructuredText, and the page that docutils makes of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from docutils.core import publish_string

from moebench import records
from moebench.figures.notes import escape

UNDERLINES = "=-~"
WARNING = 2  # docutils counts: info, warning, error


def shown(value: Any, form: str) -> str:
    """A number as a reader sees it; a dash where there is none."""
    return "–" if pd.isna(value) else form.format(value)


def span(values: "pd.Series[Any]") -> str:
    """The smallest and the largest of some values, or the only one."""
    return " to ".join(dict.fromkeys(map(str, (values.min(), values.max()))))


class Source(str):
    """A text that is reStructuredText already."""


def link(text: str, target: str) -> Source:
    """A link to a file, relative to the page."""
    return Source(f"`{escape(text)} <{target}>`__")


def heading(text: str, level: int) -> str:
    """A heading; level 0 is the page's title."""
    return f"{escape(text)}\n{UNDERLINES[level] * len(escape(text))}\n"


def bullets(sentences: Sequence[str]) -> str:
    """A list of sentences."""
    return "".join(f"* {escape(sentence)}\n" for sentence in sentences)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table with a header row; what is no ``Source`` is shown as it stands."""
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in (header, *rows):
        for position, value in enumerate(row):
            shown = value if isinstance(value, Source) else escape(value)
            lines.append(f"   {'* -' if position == 0 else '  -'} {shown}".rstrip())
    return "\n".join(lines) + "\n"


def write(parts: Sequence[str], rst: str | Path, html: str | Path) -> None:
    """Write a page as source and as HTML; a mistake in the source is an error."""
    text = "\n".join(parts)
    options = {"halt_level": WARNING, "report_level": WARNING, "output_encoding": "unicode"}
    page = publish_string(text, writer="html5", settings_overrides=options)
    records.write_text(text, rst)
    records.write_text(str(page), html)
