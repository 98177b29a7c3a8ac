"""Figures of balance over training and of capacity against quality draw what their tables hold."""

import itertools

import matplotlib.colors as colours
import numpy as np
import pandas as pd
import pytest
import synthetic

from moebench.figures import base
from moebench.figures.balance_over_time import BalanceOverTime
from moebench.figures.capacity_quality import CapacityQuality
from moebench.figures.load_over_time import LoadOverTime


def lines(axes, prefix):
    return {line.get_gid(): line for line in axes.lines if str(line.get_gid()).startswith(prefix)}


def test_balance_is_drawn_at_every_scoring_as_the_mean_of_the_seeds(tables):
    canvas = base.render(BalanceOverTime(), tables)
    assert len(canvas.axes) == 3 * 2
    above, dead, settled = canvas.axes[::2]
    curve = lines(above, "curve")["curve softk"]
    assert curve.get_xdata().tolist() == [75, 150, 225, 300]
    assert curve.get_ydata()[-1] == pytest.approx(0.24 + 0.02)
    assert lines(dead, "curve")["curve top1"].get_ydata().tolist() == [1, 0, 0, 0]
    assert lines(settled, "curve")["curve hash"].get_xdata()[0] == 0
    assert not [name for axes in canvas.axes for name in lines(axes, "curve") if "dense" in name]


def test_the_caption_names_who_is_least_balanced_and_who_has_dead_experts(tables):
    text = BalanceOverTime().caption(tables)
    assert "Furthest from balance at the end: hash CF 1.25, 0.57." in text
    assert "With dead experts at the end: none." in text
    curves = tables["curves"]
    last = (curves["step"] == 300) & (curves["quantity"] == "num_dead_experts")
    tables["curves"].loc[last & (curves["router"] == "top1"), "value"] = 2
    assert "With dead experts at the end: top-1." in BalanceOverTime().caption(tables)


def loads():
    """Of two routers, four experts: all tokens go to the first, later they are spread evenly."""
    keys = itertools.product(("softk", "top1"), (1.0, 1.25), (0, 1), (50, 100), (0, 1), range(4))
    names = ["router", "capacity_factor", "seed", "step", "layer", "expert"]
    table = pd.DataFrame(keys, columns=names)
    even, first = table["step"] == 100, table["expert"] == 0
    return table.assign(share=np.where(even, 0.25, np.where(first, 1.0, 0.0)), fair_share=0.25)


def test_a_map_of_loads_has_a_column_for_each_scoring_and_a_row_for_each_expert():
    canvas = base.render(LoadOverTime(), {"loads": loads()})
    image = canvas.axes[0].images[0].get_array()
    assert np.asarray(image).tolist() == [[4, 1], [0, 1], [0, 1], [0, 1]]
    text = LoadOverTime().caption({"loads": loads()})
    assert "moved most: expert 0 of" in text
    assert "4.00 after 50 steps and 1.00 after 100." in text


def policies(num_seeds=3):
    """Perplexities of one router at two capacity factors and three policies, and the verdicts."""
    cells = [("position", 1.0), ("gate", 1.0), ("position", 1.25), ("gate", 1.25), ("none", 1.25)]
    width = 0.1 if num_seeds > 1 else np.nan
    summary = pd.DataFrame(
        [
            {
                "router": "softk", "capacity_factor": factor, "drop_policy": policy,
                "num_seeds": num_seeds, "val_ppl_causal": 9 - place,
                "val_ppl_causal_low": 9 - place - width,
                "val_ppl_causal_high": 9 - place + width,
            }
            for place, (policy, factor) in enumerate(cells)
        ]
    )  # fmt: skip
    verdicts = {(1.0, "position", "gate"): "higher", (1.25, "position", "gate"): "tie"}
    verdicts |= {(1.25, "gate", "none"): "tie", (1.25, "position", "none"): "tie"}
    contrasts = pd.DataFrame(
        [
            {
                "factor": "drop_policy", "router_a": "softk", "capacity_factor_a": factor,
                "value_a": a, "value_b": b, "verdict": verdict if num_seeds > 1 else None,
            }
            for (factor, a, b), verdict in verdicts.items()
        ]
    )  # fmt: skip
    return {"summary": summary, "contrasts": contrasts}


def test_quality_is_drawn_by_policy_and_dropping_by_weight_is_hollow():
    [axes] = base.render(CapacityQuality(), policies()).axes
    drawn = lines(axes, "policy")
    assert drawn["policy position"].get_ydata().tolist() == [9, 7]
    assert drawn["policy gate"].get_ydata().tolist() == [8, 6]
    assert set(drawn["policy none"].get_ydata()) == {5}
    assert colours.to_hex(drawn["policy gate"].get_markerfacecolor()) == "#ffffff"
    assert colours.to_hex(drawn["policy position"].get_markerfacecolor()) != "#ffffff"


def test_ties_are_called_ties_and_differences_name_the_better_first():
    [axes] = base.render(CapacityQuality(), policies()).axes
    assert {text.get_text() for text in axes.texts} == {"weight < later", "all tie"}
    text = CapacityQuality().caption(policies())
    assert "Lowest: softmax top-k CF 1.25 dropless, 5.000." in text
    assert "At capacity factor 1: weight < later. At capacity factor 1.25: all tie." in text


def test_one_seed_tells_nothing_apart_and_draws_no_interval():
    [axes] = base.render(CapacityQuality(), policies(num_seeds=1)).axes
    assert {text.get_text() for text in axes.texts} == {"one seed:\nnot tested"}
    assert "nothing can be told apart" in CapacityQuality().caption(policies(num_seeds=1))


def test_synthetic_tables_have_what_is_drawn():
    assert set(BalanceOverTime.columns["curves"]) <= set(synthetic.curves().columns)
