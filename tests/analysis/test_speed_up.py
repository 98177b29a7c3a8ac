"""Speed-ups read off curves whose shape is known."""

import dataclasses

import numpy as np
import pytest

from moebench.analysis.speed_up import Reached, ratios, reached, speed_ups, told
from moebench.analysis.summary import measure
from tests import rows as synthetic

NUM_STEPS = 120
CONSTANT = {"dense": 60.0, "dense_total": 90.0, "softk": 40.0, "top1": 80.0, "hash": 5.0,
            "expert_choice": 40.0}  # fmt: skip


def curve(constant, every=5, shift=0.0):
    """A loss that falls to 1 along an exponential."""
    step_N = np.arange(every, NUM_STEPS + 1, every, dtype=float)
    return step_N, 1 + shift + 2 * np.exp(-step_N / constant)


def scored(router, seed, every=5):
    """Rows of a run: its scores on the way, and the last of them."""
    spec = synthetic.run_spec(router, None if router.startswith("dense") else 1.0, seed)
    steps, losses = curve(CONSTANT[router], every, shift=0.3 * seed)
    rows = [
        synthetic.row("validation", spec, step=int(step), val_nll_nats=float(nll))
        for step, nll in zip(steps, losses, strict=True)
    ]
    return [*rows, synthetic.final(spec, float(losses[-1]))]


def experiment(every=5, seeds=(0, 1, 2), num_rounds=12, slow_rounds=()):
    """Every router takes twice as long for a step as a dense network, and more in slow rounds."""
    rows = [row for router in CONSTANT for seed in seeds for row in scored(router, seed, every)]
    for router in CONSTANT:
        is_dense = router.startswith("dense")
        spec = synthetic.run_spec(router, None if is_dense else 1.0)
        for round in range(num_rounds):
            wobble = 1 + 0.01 * (round % 3 - 1)
            slow = 1 if is_dense or round not in slow_rounds else 2
            rows.append(
                synthetic.timed_step(spec, round, slow * wobble * (0.1 if is_dense else 0.2))
            )
    return rows


def table_of(rows):
    rng = np.random.default_rng(0)
    table = speed_ups(rows, measure(rows, rng), rng)
    return table.set_index(["router", "baseline", "matched_by"])


@pytest.fixture(scope="module")
def table():
    return table_of(experiment())


def test_a_loss_that_falls_by_half_as_many_again_per_token_is_a_speed_up_of_one_and_a_half(table):
    found = table.loc["softk", "dense"]["speed_up"]
    assert found["flops"] == pytest.approx(1.5, rel=0.003)
    assert found["time"] == pytest.approx(1.5 / 2, rel=0.003)
    against_total = table.loc["softk", "dense_total"]["speed_up"]
    assert against_total["parameters"] == pytest.approx(90 / 40, rel=0.003)
    assert table.loc["top1", "dense_total"]["speed_up"]["time"] == pytest.approx(90 / 160, rel=0.01)


def test_every_routed_arm_is_set_against_every_dense_network_twice(table):
    assert len(table) == 4 * 2 * 2
    assert set(table.loc["hash", "dense"].index) == {"flops", "time"}
    assert set(table.loc["hash", "dense_total"].index) == {"parameters", "time"}
    assert (table["num_scores"] == NUM_STEPS // 5).all()


def test_what_a_seed_does_to_both_curves_is_no_speed_up(table):
    line = table.loc[("softk", "dense", "flops")]
    assert line["speed_up_low"] == pytest.approx(line["speed_up_high"])
    assert (line["outcome"], line["num_reached"], line["num_seeds"]) == ("faster", 3, 3)
    assert table.loc[("softk", "dense", "time"), "outcome"] == "slower"


def test_an_arm_that_never_gets_there_has_a_bound_and_no_number(table):
    lines = table.loc["top1", "dense"]
    assert (lines["outcome"] == "not reached").all()
    assert (lines["num_reached"] == 0).all()
    assert lines[["speed_up", "speed_up_low", "speed_up_at_least"]].isna().all(axis=None)
    assert lines["speed_up_at_most"].to_dict() == pytest.approx({"flops": 1, "time": 0.5})


def test_an_arm_that_is_there_at_its_first_score_has_the_other_bound():
    line = table_of(experiment(every=40)).loc[("hash", "dense", "flops")]
    assert line["outcome"] == "before the first score"
    assert line["speed_up_at_least"] == pytest.approx(NUM_STEPS / 40)
    assert np.isnan(line["speed_up_at_most"])
    assert line["num_reached"] == 3


def test_scores_with_later_tokens_in_view_are_no_curve(table):
    lines = table.loc["expert_choice"]
    assert (lines["outcome"] == "no curve").all()
    assert lines["speed_up"].isna().all()


def test_who_is_found_to_look_at_later_tokens_has_no_curve_either():
    rows = experiment()
    arms = measure(rows, np.random.default_rng(0))
    arms.table.loc[arms.table["router"] == "softk", "certified"] = "non-causal"
    found = speed_ups(rows, arms, np.random.default_rng(0))
    assert (found.loc[found["router"] == "softk", "outcome"] == "no curve").all()


def test_a_straight_line_joins_two_scores():
    line = np.array([10.0, 20.0, 40.0]), np.array([5.0, 3.0, 1.0])
    assert reached(line, 2.0) == Reached(30, 30)
    assert reached(line, 3.0) == Reached(20, 20)
    assert reached(line, 0.5) == Reached(40, np.inf)
    assert reached(line, 5.5) == Reached(0, 10)


def test_a_curve_that_flattens_is_read_off_late_rather_than_early():
    [[coarse], _] = ratios({0: curve(40.0, every=60)}, {0: curve(60.0, every=60)})
    assert np.log(1.3) < coarse < np.log(1.5)


def test_a_seed_that_misses_the_goal_leaves_a_bound_of_the_mean():
    log_2S = np.log([[1.5, 1.2, 0.0 + 1e-300], [1.5, 1.2, 1.0]])
    log_2S[0, 2] = -np.inf
    line = told(log_2S, None, np.random.default_rng(0))
    assert line["outcome"] == "not reached"
    assert line["speed_up_at_most"] == pytest.approx((1.5 * 1.2) ** (1 / 3))
    assert line["speed_up_at_least"] is None
    assert line["num_reached"] == 2


def test_one_seed_gives_a_speed_up_without_an_interval():
    line = table_of(experiment(seeds=(0,))).loc[("softk", "dense", "time")]
    assert line["speed_up"] == pytest.approx(0.75, rel=0.01)
    assert line[["speed_up_low", "speed_up_high", "outcome"]].isna().all()


def test_too_few_rounds_leave_the_speed_up_in_tokens_and_no_interval_in_time():
    found = table_of(experiment(num_rounds=3)).loc["softk", "dense"]
    assert found.loc["flops", "outcome"] == "faster"
    assert np.isnan(found.loc["time", "speed_up_low"])


def test_rounds_that_are_slow_now_and_then_widen_the_interval_downwards():
    line = table_of(experiment(slow_rounds=range(7, 12))).loc[("softk", "dense", "time")]
    assert line["speed_up"] / line["speed_up_low"] > 1.3
    assert line["speed_up_high"] / line["speed_up"] < 1.1


def test_arms_of_another_setting_are_not_set_against_each_other():
    rows = [
        dataclasses.replace(row, spec=row.spec | {"training": row.spec["training"] | {"z_coef": z}})
        for row in experiment()
        for z in (0.0, 0.5)
    ]
    found = table_of(rows)
    assert len(found) == 2 * 4 * 2 * 2
    assert set(found["z_coef"]) == {0.0, 0.5}


@pytest.mark.parametrize("has_rates", [False, True])
def test_interval_covers_the_speed_up_19_times_in_20(has_rates):
    rng = np.random.default_rng(0)
    hits = []
    for _ in range(400):
        log_S = 0.3 + 0.1 * rng.normal(size=3)
        rate_D = None
        if has_rates:
            shared = 0.1 * rng.normal()
            log_S, rate_D = log_S + shared, shared + 0.1 * rng.normal(size=1000)
        line = told(np.stack([log_S, log_S]), rate_D, rng)
        hits.append(np.log(line["speed_up_low"]) <= 0.3 <= np.log(line["speed_up_high"]))
    assert np.mean(hits) == pytest.approx(0.95, abs=0.03)
