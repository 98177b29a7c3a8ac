"""Every column of every table is explained, and nothing is explained that no table has."""

import importlib
import pkgutil
import re

import pandera.pandas as pa
import pytest

from moebench.spec.explain import explain
from tests.specs import ROOT

TEXT = (ROOT / "docs" / "columns.md").read_text()
ENDS = re.compile(r"_(low|high)$")
# Settings that runs carry beside what schemas ask for, and figures of rows from no table of ours.
BESIDE_SCHEMAS = {"arm", "bigram_val_ppl", "commit", "router_options", "val_num_tokens", "wall_s"}
BESIDE_SCHEMAS |= {"config_top_k", "effective_k", "timing_threads", "timing_is_oversubscribed"}
BESIDE_SCHEMAS |= {"is_held_out", "training_causality"}


def explained():
    """Columns in the first cells of the page's tables."""
    cells = re.findall(r"^\| (`[^|]*) \|", TEXT, re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]


def keys():
    """Last parts of the keys of the config, which give columns their names."""
    return set(re.findall(r"^\| `(?:[\w<>\[\].]*\.)?(\w+)` \|", explain(), re.MULTILINE))


def unexplained(columns):
    """Columns that neither the page nor the config explains."""
    known = keys() | set(explained())
    return {each for each in columns if not {each, ENDS.sub("", each)} & known}


def schemas():
    """Every schema of a table, by its name; those of published files and of parts left out."""
    found = {}
    for module in pkgutil.walk_packages(
        [str(ROOT / "moebench" / "analysis")], "moebench.analysis."
    ):
        for thing in vars(importlib.import_module(module.name)).values():
            if isinstance(thing, pa.DataFrameSchema):
                found[thing.name] = thing
    for name in ("timed steps", "published capacity"):
        del found[name]
    return found


@pytest.mark.slow
def test_every_column_of_every_schema_is_explained():
    for name, schema in schemas().items():
        assert not unexplained(schema.columns), name


@pytest.mark.slow
def test_nothing_is_explained_that_no_table_has():
    columns = {name for schema in schemas().values() for name in schema.columns}
    assert set(explained()) <= columns | keys() | BESIDE_SCHEMAS


def test_a_column_is_explained_once():
    names = explained()
    assert len(names) > 300
    assert sorted(names) == sorted(set(names))
