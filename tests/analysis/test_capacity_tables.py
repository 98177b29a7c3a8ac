"""The table of capacities says what its readings say, and its page what the table says."""

import numpy as np
import pandas as pd
import pytest

from moebench import tables
from moebench.analysis.capacity.schemas import CAPACITY, PUBLISHED
from moebench.analysis.capacity.tabulate import tabulate_capacity
from moebench.report import capacity as page
from moebench.report import rst
from tests.capacities import readings
from tests.specs import ROOT


@pytest.fixture(scope="module")
def table():
    return tabulate_capacity(readings(), np.random.default_rng(0))


def test_rates_are_those_of_the_readings(table):
    cell = table[(table["routing"] == "zipf") & (table["capacity_factor"] == 1.0)]
    cell = cell[cell["policy"] == "position"].iloc[0]
    assert cell["drop_rate"] == pytest.approx(0.25)
    assert cell["unrouted_rate"] == pytest.approx(0.1)
    assert cell["padding_waste"] == pytest.approx(0.25)
    wider = table[(table["routing"] == "zipf") & (table["capacity_factor"] == 1.25)].iloc[0]
    assert wider["padding_waste"] == pytest.approx(1 - 0.8 / 1.25)
    assert cell["max_vio"] == pytest.approx(1.0)
    assert cell["pack_time_s"] == pytest.approx(0.001)
    assert cell["layer_tokens_per_s"] * cell["layer_time_s"] == pytest.approx(cell["num_tokens"])
    assert cell["layer_tokens_per_s_low"] < cell["layer_tokens_per_s_high"]


def test_dropless_cells_have_no_capacity_drop_nothing_and_waste_nothing(table):
    dropless = table[table["policy"] == "none"]
    assert len(dropless) == 3
    assert dropless[["capacity", "capacity_factor"]].isna().all(axis=None)
    assert (dropless[["drop_rate", "padding_waste"]] == 0).all(axis=None)


def test_a_cell_without_one_of_its_rounds_is_refused():
    with pytest.raises(ValueError, match="are incomplete"):
        tabulate_capacity(readings()[:-1], np.random.default_rng(0))


def test_a_table_in_which_a_rate_and_its_time_disagree_is_refused(table):
    spoilt = table.assign(layer_tokens_per_s=2 * table["layer_tokens_per_s"])
    with pytest.raises(tables.TableError, match="is not num_tokens"):
        tables.check(spoilt, CAPACITY)


def test_the_page_tells_what_skewed_and_trained_routing_lose_and_uniform_hides(table, tmp_path):
    published = tables.read(ROOT / "resources/published/capacity.csv", PUBLISHED)
    table.to_csv(tmp_path / "capacity.csv", index=False)
    parts = page.page(pd.read_csv(tmp_path / "capacity.csv"), published)
    text = "\n".join(parts)
    assert (
        "At capacity factor 1.25 independent normal logits lose at most 0.0% of the assignments, "
        "while experts wanted by Zipf's law lose 20.0% and trained routers lose 10.0%."
    ) in text
    assert "at most 0.02% dropped. The trained routers here: softmax top-k 10.0%." in text
    assert "softmax top-k 1.50" in text
    assert "nan" not in text
    rst.write(parts, tmp_path / "page.rst", tmp_path / "page.html")
