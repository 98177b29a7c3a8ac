"""The figure and the page of the waterfall."""

import itertools

import numpy as np
import pandas as pd
import pytest

from moebench import registry
from moebench.figures import base, repairs, waterfall
from moebench.report import waterfall as report
from moebench.spec.waterfall import REPAIRS

ROUTERS = ("top1", "hash", "expert_choice")
STAGES = ("published", *REPAIRS)


def table(num_seeds=3):
    """Rates fall by 20 and rise by 4; the repair of hash makes it the best."""
    rows = []
    for (stage, repair), router in itertools.product(enumerate(STAGES), ROUTERS):
        is_best = router == "hash" and stage >= STAGES.index("hash_of_token")
        nll = 2.5 if is_best else 3.0 + 0.1 * ROUTERS.index(router)
        rate = {0: 40_000.0, 1: 2_000.0}.get(stage, 8_000.0)
        change = -0.6 if repair == "hash_of_token" and router == "hash" else 0.0
        rows.append(
            {
                "stage": stage, "repair": repair, "router": router, "trained_as": router,
                "causality": "non-causal" if router == "expert_choice"
                and repair != "later_tokens" else "token-local",
                "num_seeds": num_seeds, "val_nll_nats": nll, "val_ppl": np.exp(nll),
                "val_ppl_low": np.exp(nll - 0.1), "val_ppl_high": np.exp(nll + 0.1),
                "tokens_per_s": rate, "tokens_per_s_low": rate * 0.9,
                "tokens_per_s_high": rate * 1.1,
                "nll_change_nats": change, "nll_change_nats_low": change - 0.05,
                "nll_change_nats_high": change + 0.05,
                "speed_ratio": {1: 0.05, 2: 4.0}.get(stage, 1.0),
            }
        )  # fmt: skip
    found = pd.DataFrame(rows)
    found["speed_ratio_low"] = found["speed_ratio"] * 0.99
    found["speed_ratio_high"] = found["speed_ratio"] * 1.01
    found["rank"] = found.groupby("stage")["val_nll_nats"].rank().astype(int)
    return found.assign(rank_low=found["rank"], rank_high=found["rank"])


def text(parts):
    return "\n".join(parts)


def test_every_repair_has_a_short_and_a_long_name():
    assert set(repairs.SHORT) == set(STAGES)
    assert set(repairs.LONG) == set(REPAIRS)


@pytest.mark.slow
def test_points_stand_where_the_table_says_and_non_causal_ones_are_hollow():
    figure = registry.load(base.Figure, "waterfall")()
    data = table()
    canvas = base.render(figure, {"waterfall": data})
    panels = canvas.get_axes()
    assert len(panels) == 3
    for axes, (quantity, _) in zip(panels, waterfall.PANELS, strict=True):
        drawn = {line.get_gid(): line for line in axes.get_lines() if line.get_gid()}
        for router in ROUTERS:
            for causality, mine in data[data["router"] == router].groupby("causality"):
                line = drawn[f"{quantity} {router} {causality}"]
                assert line.get_ydata().tolist() == mine[quantity].tolist()
                assert np.round(line.get_xdata()).tolist() == mine["stage"].tolist()
                assert (line.get_markerfacecolor() == "white") == (causality == "non-causal")


def test_the_caption_tells_the_fall_of_the_rate_and_both_orders():
    caption = registry.load(base.Figure, "waterfall")().caption({"waterfall": table()})
    assert "falls by a factor of 5," in caption
    assert "top-1, hash, expert choice at the start" in caption
    assert "hash, top-1, expert choice at the end" in caption
    assert "nan" not in caption


def test_a_repair_is_told_with_what_it_moves_and_nothing_else():
    page = text(report.page(table()))
    assert (
        "Counting the interval between scorings once changes the reported rate by a factor of 0.05."
        in page
    )
    assert "moves the loss of hash by -0.600 (-0.650 to -0.550) nats per token" in page
    assert "changes the order of the means to hash, top-1, expert choice" in page
    assert f"{repairs.LONG['windows']} moves nothing that the seeds can tell." in page
    assert page.count("moves nothing") == len(REPAIRS) - 3
    assert "certain is top-1 (rank 1), hash (rank 2) and expert choice (rank 3)" in page


@pytest.mark.parametrize(
    ("ratio", "low", "high", "is_told"),
    [
        (0.9, 0.88, 0.92, True),
        (1.1, 1.05, 1.15, True),
        (0.9, 0.7, 1.1, False),  # not told from none
        (0.98, 0.97, 0.99, False),  # sure, and too little to matter
    ],
)
def test_the_rate_of_a_single_router_is_told_where_it_surely_changes(ratio, low, high, is_told):
    data = table()
    here = (data["repair"] == "gates") & (data["router"] == "top1")
    data.loc[here, ["speed_ratio", "speed_ratio_low", "speed_ratio_high"]] = [ratio, low, high]
    page = text(report.page(data))
    told = f"changes the rate of top-1 by a factor of {ratio:.2f} ({low:.2f} to {high:.2f})"
    assert (told in page) == is_told


def test_without_intervals_nothing_is_said_to_move_and_nothing_breaks():
    data = table(num_seeds=1)
    ends = [column for column in data if column.endswith(("_low", "_high"))]
    data[ends] = np.nan
    page = text(report.page(data))
    assert "moves the loss" not in page
    assert "too few seeds" in page
    assert "nan" not in page
    assert "too few seeds" in registry.load(base.Figure, "waterfall")().caption({"waterfall": data})
