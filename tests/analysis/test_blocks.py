"""The block model against statsmodels and scipy, and against worlds whose truth is known."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.formula.api import ols

from moebench.analysis.blocks import block_differences, block_draws, block_scatter
from moebench.analysis.statistics import draws_interval

NUM_ARMS, NUM_SEEDS = 12, 3
EVERY_PAIR = list(itertools.combinations(range(NUM_ARMS), 2))
# As in the default experiment: seven arms at one capacity factor, two of them paired elsewhere.
FAMILY = [pair for pair in itertools.combinations(range(7), 2) if pair != (0, 1)]


def experiments(num, sd_A=1.0, mean_A=0.0, seed=0):
    """Experiments of which the seed explains far more than the arm."""
    rng = np.random.default_rng(seed)
    sd_A, mean_A = (np.broadcast_to(each, NUM_ARMS)[:, None] for each in (sd_A, mean_A))
    for _ in range(num):
        yield (
            mean_A + 20 * rng.normal(size=NUM_SEEDS) + sd_A * rng.normal(size=(NUM_ARMS, NUM_SEEDS))
        )


def p_values(pairs, num, **world):
    """P-values (N, P) of the pairs in each experiment."""
    return np.array([block_differences(x_AS, pairs).p_value for x_AS in experiments(num, **world)])


def holm(p_NP):
    """Holm-adjusted p-values of each experiment's family."""
    order_NP = np.argsort(p_NP, axis=1)
    steps_NP = np.take_along_axis(p_NP, order_NP, axis=1) * np.arange(p_NP.shape[1], 0, -1)
    adjusted_NP = np.empty_like(p_NP)
    np.put_along_axis(adjusted_NP, order_NP, np.maximum.accumulate(steps_NP, axis=1), axis=1)
    return adjusted_NP


def test_differences_are_those_of_the_two_way_linear_model():
    rng = np.random.default_rng(0)
    x_AS = np.array([[0.0], [1.0], [3.0], [0.5]]) + rng.normal(size=3) + rng.normal(size=(4, 3))
    table = pd.DataFrame(
        [(x_AS[a, s], f"a{a}", f"s{s}") for a, s in np.ndindex(x_AS.shape)],
        columns=["value", "arm", "seed"],
    )
    expected = ols("value ~ C(arm) + C(seed)", table).fit().t_test("C(arm)[T.a2] - C(arm)[T.a1]")
    found = block_differences(x_AS, [(2, 1)])
    assert found.mean[0] == pytest.approx(expected.effect[0])
    assert found.p_value[0] == pytest.approx(float(expected.pvalue))
    assert (found.low[0], found.high[0]) == pytest.approx(tuple(expected.conf_int()[0]))


def test_two_arms_alone_are_the_paired_t_test():
    x_AS = np.random.default_rng(0).normal(size=(2, 5))
    expected = stats.ttest_rel(*x_AS)
    found = block_differences(x_AS, [(0, 1)])
    assert found.p_value[0] == pytest.approx(expected.pvalue)
    assert (found.low[0], found.high[0]) == pytest.approx(expected.confidence_interval(0.95))


def test_of_arms_that_do_not_differ_1_pair_in_20_is_called_different():
    p_NP = p_values(EVERY_PAIR, 1000)
    assert (p_NP < 0.05).mean() == pytest.approx(0.05, abs=0.006)
    assert (p_NP < 0.01).mean() == pytest.approx(0.01, abs=0.003)


def test_interval_of_a_difference_covers_it_19_times_in_20():
    mean_A = np.arange(NUM_ARMS)
    gap_P = np.array([mean_A[a] - mean_A[b] for a, b in EVERY_PAIR])
    found = [block_differences(x_AS, EVERY_PAIR) for x_AS in experiments(1000, mean_A=mean_A)]
    covered = np.mean([(each.low <= gap_P) & (gap_P <= each.high) for each in found])
    assert covered == pytest.approx(0.95, abs=0.006)


def test_a_gap_of_3_sd_is_found_which_pairs_of_3_seeds_alone_would_miss():
    mean_A = 3.0 * (np.arange(NUM_ARMS) == 2)
    at = FAMILY.index((2, 5))
    worlds = list(experiments(200, mean_A=mean_A))
    block_NP = np.array([block_differences(x_AS, FAMILY).p_value for x_AS in worlds])
    a_P, b_P = np.array(FAMILY).T
    alone_NP = np.array([stats.ttest_rel(x_AS[a_P], x_AS[b_P], axis=1).pvalue for x_AS in worlds])
    assert (block_NP[:, at] < 0.05).mean() > 0.9 > 0.6 > (alone_NP[:, at] < 0.05).mean()
    assert (holm(block_NP)[:, at] < 0.05).mean() > 0.5
    assert (holm(alone_NP)[:, at] < 0.05).mean() < 0.08


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sd_A", "at_most"),
    [
        pytest.param(np.ones(NUM_ARMS), 0.05, id="alike"),
        pytest.param(np.linspace(2, 1, NUM_ARMS), 0.10, id="spread evenly, family scatters most"),
        pytest.param(np.where(np.arange(NUM_ARMS) < 7, 2, 1), 0.14, id="family twice the others"),
    ],
)
def test_holm_keeps_its_promise_nearly_where_sds_differ_by_a_factor_of_2(sd_A, at_most):
    adjusted_NP = holm(p_values(FAMILY, 1000, sd_A=sd_A))
    assert (adjusted_NP < 0.05).any(axis=1).mean() < at_most


def test_an_arm_that_scatters_more_makes_its_own_pairs_bold_and_all_others_careful():
    p_NP = p_values(EVERY_PAIR, 500, sd_A=np.where(np.arange(NUM_ARMS) == 0, 3, 1))
    its_own_P = np.array([0 in pair for pair in EVERY_PAIR])
    assert 0.15 < (p_NP[:, its_own_P] < 0.05).mean() < 0.35
    assert (p_NP[:, ~its_own_P] < 0.05).mean() < 0.03


def test_what_a_seed_does_to_all_arms_is_no_difference_between_them():
    x_AS = np.random.default_rng(0).normal(size=(4, 3))
    shifted = block_differences(x_AS + np.array([-50.0, 10.0, 40.0]), [(0, 1), (2, 3)])
    for found, expected in zip(shifted, block_differences(x_AS, [(0, 1), (2, 3)]), strict=True):
        assert found == pytest.approx(expected)


def test_every_arm_informs_the_scatter():
    x_AS = np.random.default_rng(0).normal(size=(4, 3))
    noisier_AS = x_AS * np.array([[1], [1], [1], [9]])
    assert block_scatter(noisier_AS).sd > 2 * block_scatter(x_AS).sd
    assert block_scatter(x_AS).dof == 6


def test_equal_arms_differ_by_nothing_and_without_scatter_a_gap_is_certain():
    same_AS = np.array([[1.0, 2.0, 4.0], [1.0, 2.0, 4.0], [3.0, 4.0, 6.0]])
    found = block_differences(same_AS[:2], [(0, 1)])
    assert [float(each[0]) for each in found] == [0, 0, 0, 1]
    assert block_differences(same_AS, [(2, 0)]).p_value == pytest.approx(0, abs=1e-9)
    constant = block_differences(np.array([[1.0, 1.0], [2.0, 2.0]]), [(1, 0)])
    assert [float(each[0]) for each in constant] == [1, 1, 1, 0]


@pytest.mark.parametrize("shape", [(1, 3), (4, 1), (1, 1)])
def test_one_arm_or_one_seed_says_nothing_about_scatter(shape):
    x_AS = np.random.default_rng(0).normal(size=shape)
    assert np.isnan(block_scatter(x_AS).sd)
    assert np.isnan(block_draws(x_AS, np.random.default_rng(0), 5)).all()
    found = block_differences(x_AS, [(0, shape[0] - 1)])
    assert found.mean == pytest.approx([x_AS[0].mean() - x_AS[-1].mean()])
    assert np.isnan([found.low, found.high, found.p_value]).all()


def test_without_pairs_there_are_no_differences():
    assert [len(each) for each in block_differences(np.ones((2, 3)), [])] == [0, 0, 0, 0]


def test_differences_of_draws_have_the_block_interval():
    x_AS = np.random.default_rng(0).normal(size=(3, 3)) + np.array([-20.0, 5.0, 15.0])
    draws_AD = block_draws(x_AS, np.random.default_rng(1), 200_000)
    for a, b in itertools.permutations(range(3), 2):
        expected = block_differences(x_AS, [(a, b)])
        low, high = draws_interval(draws_AD[a] - draws_AD[b])
        width = expected.high[0] - expected.low[0]
        assert (low, high) == pytest.approx((expected.low[0], expected.high[0]), abs=0.01 * width)
