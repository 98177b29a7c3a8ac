"""Whether every number of an answer stands where the answer says it stands."""

import json
import math
import re

import pandas as pd

from moebench.report.advice import written
from moebench.report.advice.base import FORMS


def told(answer):
    """Every sentence that the data decided."""
    return " ".join([answer["verdict"], *answer["because"], *answer["would_change"]])


def row_of(number, tables):
    """The one row of a table that a number names."""
    table = tables[number["table"]]
    for column, value in number["row"].items():
        table = table[table[column].isna() if value is None else table[column].eq(value)]
    assert len(table) == 1, f"{len(table)} rows of {number['table']} are {number['row']}"
    return table.iloc[0]


def unaccounted(answer, tables):
    """Digits of an answer that no table holds, after each number was looked up in its table."""
    text = told(answer)
    shown = []
    for number in answer["numbers"]:
        row = row_of(number, tables)
        shown.append(number["shown"])
        if number["column"] is not None:
            value = row[number["column"]]
            assert math.isclose(value, number["value"], rel_tol=1e-12)
            assert FORMS[number["form"]](value) == number["shown"]
        else:
            held = set(re.findall(r"\d+", " ".join(map(str, number["row"].values()))))
            assert set(re.findall(r"\d+", number["shown"])) <= held, number
    for each in sorted(shown, key=len, reverse=True):
        text = re.sub(rf"(?<![\w.]){re.escape(each)}(?!\w|\.\d)", "", text)
    return re.findall(r"\S*\d\S*", text)


def as_read(tables):
    """Tables as a job reads them: from CSV."""
    import io

    return {
        name: pd.read_csv(
            io.StringIO(table.to_csv(index=False)), keep_default_na=False, na_values=[""]
        )
        for name, table in tables.items()
    }


def as_json(answers):
    """Answers as they are written."""
    return json.loads(written.as_json(answers, "a machine"))["answers"]
