"""The figures of the capacity room draw what their table says."""

import matplotlib.colors as colours
import numpy as np
import pandas as pd
import pytest

from moebench import registry
from moebench.analysis.capacity.tabulate import tabulate_capacity
from moebench.figures import base
from moebench.report import capacity as report
from tests.capacities import readings

NAMES = ("drop_rate", "tokens_per_s")


@pytest.fixture(scope="module")
def capacity(tmp_path_factory):
    """The table as a figure reads it: from CSV."""
    path = tmp_path_factory.mktemp("tables") / "capacity.csv"
    tabulate_capacity(readings(), np.random.default_rng(0)).to_csv(path, index=False)
    return {"capacity": pd.read_csv(path)}


def figure(name):
    return registry.load(base.Figure, name)()


def lines(canvas, prefix):
    return {
        line.get_gid(): line
        for axes in canvas.axes
        for line in axes.lines
        if str(line.get_gid()).startswith(prefix)
    }


def test_drop_rates_stand_where_the_table_says(capacity):
    canvas = base.render(figure("drop_rate"), capacity)
    drawn = lines(canvas, "drops")
    assert set(drawn) == {"drops E 8, K 2", "drops softmax top-k"}
    trained = drawn["drops softmax top-k"]
    assert list(trained.get_xdata()) == [1.0, 1.25]
    assert list(trained.get_ydata()) == pytest.approx([0.15, 0.1])
    assert [axes.get_title() for axes in canvas.axes[:3]] == [
        "independent normal logits", "experts wanted by Zipf's law", "trained routers"
    ]  # fmt: skip


def test_dropping_small_weights_is_drawn_hollow_and_dropping_late_tokens_filled(capacity):
    drawn = lines(base.render(figure("drop_rate"), capacity), "unrouted softmax")
    faces = {name.split()[-1]: line.get_markerfacecolor() for name, line in drawn.items()}
    assert colours.to_hex(faces["gate"]) == "#ffffff" != colours.to_hex(faces["position"])


def test_speeds_stand_where_the_table_says_with_dropless_at_the_right(capacity):
    canvas = base.render(figure("tokens_per_s"), capacity)
    padded = lines(canvas, "padded layer_tokens_per_s softmax")
    dropless = lines(canvas, "none layer_tokens_per_s softmax")
    table = capacity["capacity"]
    mine = table[(table["router"] == "softk") & (table["policy"] == "position")]
    (line,) = padded.values()
    assert list(line.get_ydata()) == pytest.approx(mine["layer_tokens_per_s"].tolist())
    (line,) = dropless.values()
    assert line.get_xdata()[0] > 1.25


@pytest.mark.parametrize("name", NAMES)
def test_captions_hold_no_hole(name, capacity):
    caption = figure(name).caption(capacity)
    assert "nan" not in caption
    assert "trained routers" in caption or "softmax top-k" in caption


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("left", ["normal", "trace", "none"])
def test_a_part_of_the_routings_or_policies_can_be_drawn(name, left, capacity):
    table = capacity["capacity"]
    some = table[(table["routing"] == left) | (table["policy"] == left)]
    drawing = figure(name)
    base.render(drawing, {"capacity": some})
    assert drawing.caption({"capacity": some})


@pytest.mark.parametrize("name", NAMES)
def test_too_few_rounds_for_an_interval_are_told(name, capacity):
    table = capacity["capacity"].copy()
    table[[column for column in table if column.endswith(("_low", "_high"))]] = np.nan
    drawing = figure(name)
    base.render(drawing, {"capacity": table})
    assert "No intervals" in drawing.caption({"capacity": table})


def test_the_page_says_what_room_costs_and_what_dropping_small_weights_saves():
    cells = pd.DataFrame(
        [
            ("position", 1.0, 0.3, 1.0, 100), ("position", 2.0, 0.05, 3.0, 250),
            ("gate", 1.0, 0.1, 1.0, 100), ("gate", 2.0, 0.05, 3.0, 250),
            ("none", None, 0.0, 2.0, 100),
        ],
        columns=["policy", "capacity_factor", "unrouted_rate", "layer_time_s", "buffer_bytes"],
    ).assign(routing="trace", router="softk", num_experts=8, top_k=2)  # fmt: skip
    [saved] = report.policies(cells)
    assert "softmax top-k (K 2) at capacity factor 1: 10.0% instead of 30.0%" in saved
    [no_difference] = report.policies(cells[cells["capacity_factor"] == 2])
    assert "makes no difference" in no_difference
    grows, dropless = report.cost(cells)
    assert "from capacity factor 1 to 2 it grows 2.50 times" in grows
    assert "a layer takes 3.00 times as long" in grows
    assert "it takes 1.50 times as long as dropless" in dropless
