"""Advice as a text for the terminal, as JSON, and as a page with its evidence."""

import json
import textwrap
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from moebench.figures.notes import escape
from moebench.report import rst
from moebench.report.advice.base import Answer, Number

WIDTH = 88
TITLE = "What to choose, from what was measured here"
PREAMBLE = (
    "Ranges in brackets are 95 % intervals: made anew, 19 in 20 of them hold the true value. A "
    "difference that repetitions cannot tell from none is called a tie or undecided."
)
MARKS = {"answered": "ANSWER: ", "open": "OPEN: ", "cannot say": ""}


def text(answers: Sequence[Answer], machine: str) -> str:
    """Plain text for a terminal."""
    parts = [TITLE, "=" * len(TITLE), "", *_wrap(machine), *_wrap(PREAMBLE), ""]
    for number, each in enumerate(answers, start=1):
        parts += [*_wrap(f"{number}. {each.question}", "   "), ""]
        parts += [*_wrap(f"   ({each.terms})", "   "), ""]
        parts += [*_wrap(f"   {_marked(each)}", "   "), ""]
        parts += [*_list("Why:", each.because), *_list("What would change it:", each.would_change)]
        parts += [*_seen(each), ""] if each.numbers else []
    return "\n".join(parts)


def as_json(answers: Sequence[Answer], machine: str) -> str:
    """All of it, with the place of every number."""
    content = {"machine": machine, "answers": [each.plain() for each in answers]}
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def page(answers: Sequence[Answer], machine: str) -> list[str]:
    """Parts of a page: the answers, without their evidence."""
    parts = [rst.heading(TITLE, 1), rst.bullets([machine, PREAMBLE])]
    for each in answers:
        parts += [
            rst.heading(each.question, 2),
            f"{escape(each.terms)}\n",
            f"**{escape(_marked(each))}**\n",
            rst.bullets(each.because),
        ]
        if each.would_change:
            changes = [f"What would change it: {sentence}" for sentence in each.would_change]
            parts.append(rst.bullets(changes))
    return parts


def evidence(answers: Sequence[Answer]) -> list[str]:
    """Parts of a page: where each number of the answers stands, with links from ``results/``."""
    parts = [rst.heading("Where each number stands", 1)]
    for each in answers:
        numbers = [number for number in each.numbers if number.column is not None]
        if not numbers:
            continue
        parts.append(rst.heading(each.question, 2))
        if each.figure:
            link = rst.link(each.figure, f"figures/{each.figure}.svg")
            parts.append(f"Figure: {link}\n")
        header = ["shown", "value", "shown as", "table", "column", "row"]
        parts.append(rst.table(header, [_row(number) for number in numbers]))
    return parts


def _marked(answer: Answer) -> str:
    return f"{MARKS[answer.status]}{answer.verdict}"


def _row(number: Number) -> list[str]:
    link = rst.link(f"{number.table}.csv", f"tables/{number.table}.csv")
    row = ", ".join(f"{name} {value}" for name, value in number.row.items() if value is not None)
    return [number.shown, str(number.value), str(number.form), link, str(number.column), row]


def _seen(answer: Answer) -> list[str]:
    tables = dict.fromkeys(str(PurePosixPath("tables", f"{n.table}.csv")) for n in answer.numbers)
    files = ([f"figures/{answer.figure}.svg"] if answer.figure and tables else []) + list(tables)
    return _wrap(f"   See, in results/: {', '.join(files)}", "   ") if files else []


def _list(title: str, sentences: Sequence[str]) -> list[str]:
    if not sentences:
        return []
    items = [line for each in sentences for line in _wrap(f"   - {each}", "     ")]
    return [f"   {title}", *items, ""]


def _wrap(paragraph: str, indent: str = "") -> list[str]:
    options: Any = {"break_long_words": False, "break_on_hyphens": False}
    return textwrap.wrap(paragraph, WIDTH, subsequent_indent=indent, **options)
