"""Hypervolumes of sets whose volume is known, and of arms whose truth is known."""

import numpy as np
import pytest

from moebench.analysis.blocks import block_draws
from moebench.analysis.hypervolume import hypervolume, relative, simultaneous_box, volume
from moebench.analysis.statistics import median_draws
from moebench.analysis.summary import measure
from moebench.spec import StatisticsSpec
from tests import rows as synthetic

NUM_DRAWS = 1000
AMONG = [("dense", None), ("dense_total", None), *((name, 1.0) for name in synthetic.ROUTERS)]
REFERENCE_X = np.array([1.0, 2.0])
SPEC = StatisticsSpec(reference_ppl_ratio=np.e, reference_slowdown=np.e)  # a unit square


@pytest.fixture(scope="module")
def measured():
    found = synthetic.experiment(lambda *_: 2.0, lambda *_: 0.1, among=AMONG)
    return measure(found, np.random.default_rng(0))


def arms_of(measured, nll_AS, time_AR, rng):
    """Arms, dense first, with these losses and times; none looks at later tokens."""
    nll_A, time_A = nll_AS.mean(axis=1), np.median(time_AR, axis=1)
    speed_AD = 1 / median_draws(time_AR, rng, NUM_DRAWS)
    table = measured.table.assign(
        router=["dense", *(f"router{number}" for number in range(1, len(nll_A)))],
        val_nll_causal_nats=nll_A,
        val_ppl_causal=np.exp(nll_A),
        train_tokens_per_s=1 / time_A,
    )
    drawn = block_draws(nll_AS, rng, NUM_DRAWS), speed_AD
    return measured._replace(table=table, nll_AD=drawn[0], speed_AD=drawn[1],
                             is_ranked_A=np.ones(len(nll_A), dtype=bool))  # fmt: skip


def worlds(measured, nll_A, time_A, num):
    """Tables of experiments whose arms have these true losses and times."""
    rng = np.random.default_rng(0)
    A = len(nll_A)
    for _ in range(num):
        nll_AS = nll_A[:, None] + 5 * rng.normal(size=3) + 0.02 * rng.normal(size=(A, 3))
        time_AR = time_A[:, None] * rng.lognormal(0, 0.05, 16) * rng.lognormal(0, 0.05, (A, 16))
        table = hypervolume(arms_of(measured, nll_AS - nll_AS.min(), time_AR, rng), SPEC)
        yield table.set_index(["kept", "router"])


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([[0, 0]], 1),
        ([[-1, 0]], 2),
        ([[0, 0], [-1, 1]], 1.5),
        ([[0, 0], [-1, 1], [0.5, 0.5]], 1.5),
        ([[0, 0], [-9, 2], [1, -9]], 1),
        ([[1, 2]], 0),
    ],
)
def test_volume_of_known_sets_is_exact(points, expected):
    assert volume(np.array(points, float), REFERENCE_X) == pytest.approx(expected)


def test_volume_of_three_axes_is_exact():
    """Two boxes of 2 and 1.5, which have a box of 1 in common."""
    points = np.array([[-1.0, 0, 0], [0, 0, -0.5]])
    assert volume(points, np.ones(3)) == pytest.approx(2 + 1.5 - 1)


def test_relative_axes_know_neither_machine_nor_text():
    nll_A, speed_A = np.array([2.0, 1.5]), np.array([1e4, 2e4])
    x_AX = relative(nll_A, speed_A, base=0)
    assert x_AX == pytest.approx(np.array([[0, 0], [-0.5, -np.log(2)]]))
    assert relative(nll_A + 3, 7 * speed_A, base=0) == pytest.approx(x_AX)


def test_box_holds_all_arms_on_all_axes_at_once_in_95_of_100_draws():
    draws_ADX = np.random.default_rng(0).standard_t(4, size=(6, 20_000, 2))
    draws_ADX[0] = 0  # the origin
    box = simultaneous_box(np.zeros((6, 2)), draws_ADX)
    is_in_D = (
        (box.best_AX[:, None] <= draws_ADX) & (draws_ADX <= box.worst_AX[:, None])
    ).all(axis=(0, 2))  # fmt: skip
    assert is_in_D.mean() == pytest.approx(0.95, abs=0.002)
    assert (box.worst_AX[0] == 0).all()


def test_what_is_lost_without_an_arm_is_what_it_alone_opens_up(measured):
    """Dense opens up a unit square; one arm is better by half, one faster by half, others not."""
    nll_A = np.array([2.0, 1.5, 2.1, 2.2, 2.0, 2.0, 2.0])
    time_A = 0.1 * np.exp([0, 0.5, -0.5, 0.1, 0.2, 0.3, 0.4])
    still = np.ones((1, 3)), np.ones((1, 9))
    arms = arms_of(measured, nll_A[:, None] * still[0], time_A[:, None] * still[1],
                   np.random.default_rng(0))  # fmt: skip
    table = hypervolume(arms, SPEC).set_index(["kept", "router"])
    everything = table.loc["all"].iloc[0]
    assert everything["hypervolume"] == pytest.approx(1 + 0.25 + 0.45)
    assert everything["reference_val_ppl"] == pytest.approx(np.exp(3))
    assert everything["reference_train_tokens_per_s"] == pytest.approx(10 / np.e)
    less = table.loc["all but this one"]
    assert less.loc["router1", "decrease"] == pytest.approx(0.25)
    assert less.loc["router2", "decrease"] == pytest.approx(0.45)
    assert less.loc["dense", "decrease"] == pytest.approx(0.1 * 0.2)
    assert (less.loc[["router3", "router4"], "decrease"] == 0).all()
    only = table.loc["dense networks"].iloc[0]
    assert only["hypervolume"] == pytest.approx(1)
    assert only["decrease"] == pytest.approx(0.7)
    assert (only["num_arms"], everything["num_arms"]) == (1, 7)


def test_no_arm_but_the_dense_network_moves_the_reference_point():
    def reference(offset):
        found = synthetic.experiment(
            lambda router, *_: 2.0 + offset * (router == "softk"),
            lambda router, *_: 0.1 * (1 + offset * (router == "softk")),
            among=AMONG,
        )
        table = hypervolume(measure(found, np.random.default_rng(0)), StatisticsSpec())
        return table[["reference_val_ppl", "reference_train_tokens_per_s"]].drop_duplicates()

    [here], [there] = (reference(offset).to_numpy().tolist() for offset in (0.0, 0.7))
    assert here == there
    speed = synthetic.TOKENS_PER_STEP / 0.1
    assert here == pytest.approx([1.5 * np.exp(2), speed / 4])


def test_an_arm_that_may_not_be_ranked_opens_up_nothing(measured):
    caught = measured.is_ranked_A & (measured.table["router"] != "softk")
    table = hypervolume(measured._replace(is_ranked_A=caught.to_numpy()), SPEC)
    assert "softk" not in table["router"].tolist()
    assert table["num_arms"].max() == len(AMONG) - 1


def test_without_one_dense_network_of_equal_flops_there_is_no_volume(measured):
    table = measured.table.assign(router=measured.table["router"].replace("dense", "hash"))
    assert hypervolume(measured._replace(table=table), SPEC).empty


def test_one_seed_gives_volumes_without_intervals(measured):
    found = measured._replace(nll_AD=np.full_like(measured.nll_AD, np.nan))
    table = hypervolume(found, SPEC)
    assert table["hypervolume"].notna().all()
    assert table[["hypervolume_low", "decrease_high", "verdict"]].isna().all(axis=None)


@pytest.mark.slow
def test_intervals_of_all_volumes_hold_at_once_in_19_experiments_of_20(measured):
    nll_A = np.array([0.5, 0.3, 0.45, 0.6, 0.2, 0.5, 0.9])
    time_A = 0.1 * np.exp([0, 0.3, 0.1, -0.2, 0.6, 0.5, -0.4])
    [truth] = worlds(measured, nll_A, time_A, 1)
    exact = arms_of(measured, np.repeat(nll_A[:, None], 3, 1), np.repeat(time_A[:, None], 9, 1),
                    np.random.default_rng(0))  # fmt: skip
    truth = hypervolume(exact, SPEC).set_index(["kept", "router"])
    held = []
    for table in worlds(measured, nll_A, time_A, 100):
        lines = [
            (table[f"{name}_low"] <= truth[name] + 1e-9)
            & (truth[name] <= table[f"{name}_high"] + 1e-9)
            for name in ("hypervolume", "decrease")
        ]
        held.append(lines[0].all() and lines[1][truth["decrease"].notna()].all())
    assert np.mean(held) >= 0.95


@pytest.mark.slow
def test_arms_that_are_all_alike_add_nothing_in_19_experiments_of_20(measured):
    """Though in nearly every one some arm looks better than the dense network."""
    found = list(worlds(measured, np.zeros(7), np.full(7, 0.1), 100))
    added = np.array([table.loc["dense networks", "decrease"].item() for table in found])
    is_said = np.array([(table["verdict"] == "supported").any() for table in found])
    assert (added > 0.005).mean() > 0.9
    assert is_said.mean() <= 0.05


@pytest.mark.slow
def test_an_arm_that_is_better_is_found_to_add_something(measured):
    nll_A = 0.2 * (np.arange(7) != 3)
    found = list(worlds(measured, nll_A, np.full(7, 0.1), 40))
    assert np.mean([t.loc["dense networks", "verdict"].item() == "supported" for t in found]) > 0.9
    alone = [t.loc[("all but this one", "router3"), "verdict"] == "supported" for t in found]
    assert np.mean(alone) > 0.9
