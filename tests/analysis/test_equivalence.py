"""Two one-sided tests and the minimum detectable effect, against worlds whose truth is known."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.power import TTestPower
from statsmodels.stats.weightstats import ttost_paired

from moebench.analysis.blocks import block_differences, block_scatter
from moebench.analysis.contrasts import contrasts
from moebench.analysis.equivalence import (
    conclusion,
    equivalence_p_values,
    judge,
    minimum_detectable,
)
from tests import rows as synthetic

NUM_SEEDS, MARGIN = 3, 0.5


def error_of(x_AS):
    sd, dof = block_scatter(x_AS)
    return sd * np.sqrt(2 / x_AS.shape[1]), dof


def p_of(x_AS, margin, pairs=((0, 1),)):
    """P-values of equivalence of pairs of arms."""
    gap_P = np.array([(x_AS[a] - x_AS[b]).mean() for a, b in pairs])
    return equivalence_p_values(gap_P, *error_of(x_AS), margin)


def worlds(num, gap, num_arms=6, sd=0.1):
    """Experiments in which the first arm is off by a gap, and seeds move all arms alike."""
    rng = np.random.default_rng(0)
    mean_A = gap * (np.arange(num_arms) == 0)[:, None]
    for _ in range(num):
        common_S = 9 * rng.normal(size=NUM_SEEDS)
        yield mean_A + common_S + sd * rng.normal(size=(num_arms, NUM_SEEDS))


def test_two_arms_alone_are_the_paired_equivalence_test_of_statsmodels():
    x_AS = np.random.default_rng(0).normal(size=(2, 6))
    expected = ttost_paired(x_AS[0], x_AS[1], -1.5, 1.5)[0]
    assert p_of(x_AS, 1.5) == pytest.approx(expected)


@pytest.mark.parametrize("gap", [MARGIN, -MARGIN])
def test_arms_at_the_margin_are_called_equivalent_1_time_in_20(gap):
    found = [p_of(x_AS, MARGIN)[0] < 0.05 for x_AS in worlds(2000, gap)]
    assert np.mean(found) == pytest.approx(0.05, abs=0.012)


def test_arms_beyond_the_margin_hardly_ever_are_and_equal_ones_nearly_always():
    assert np.mean([p_of(x_AS, MARGIN)[0] < 0.05 for x_AS in worlds(500, 1.5 * MARGIN)]) < 0.005
    assert np.mean([p_of(x_AS, MARGIN)[0] < 0.05 for x_AS in worlds(500, 0)]) > 0.99


def test_equal_arms_that_scatter_more_than_the_margin_are_never_called_equivalent():
    assert not any(p_of(x_AS, MARGIN)[0] < 0.05 for x_AS in worlds(300, 0, sd=2 * MARGIN))


def test_a_difference_of_the_detectable_size_is_found_4_times_in_5():
    x_AS = next(worlds(1, 0))
    dof = block_scatter(x_AS).dof
    true_error = 0.1 * np.sqrt(2 / NUM_SEEDS)
    gap = minimum_detectable(true_error, dof, 1)
    found = [block_differences(x, [(0, 1)]).p_value[0] < 0.05 for x in worlds(1500, gap)]
    assert np.mean(found) == pytest.approx(0.8, abs=0.03)


def test_detectable_effect_of_one_pair_agrees_with_statsmodels():
    expected = TTestPower().solve_power(nobs=11, alpha=0.05, power=0.8) * np.sqrt(11)
    assert minimum_detectable(1, 10, 1) == pytest.approx(expected, rel=1e-3)
    assert minimum_detectable(2, 10, 1) == pytest.approx(2 * expected, rel=1e-3)


def test_more_pairs_in_a_family_and_fewer_seeds_detect_less():
    assert minimum_detectable(1, 10, 20) > minimum_detectable(1, 10, 1)
    assert minimum_detectable(1, 1, 20) > 50 * minimum_detectable(1, 10, 20)
    assert np.isnan(minimum_detectable(np.nan, 0, 1))


def test_without_scatter_a_difference_is_within_the_margin_or_not():
    found = equivalence_p_values(np.array([0.0, 0.4, 0.5, -0.6]), 0.0, 4, MARGIN)
    assert found.tolist() == [0, 0, 1, 1]
    assert np.isnan(equivalence_p_values(np.zeros(1), np.nan, 0, MARGIN)).all()


@pytest.mark.parametrize(
    ("verdict", "p", "less_is_better", "expected"),
    [
        ("lower", 1, True, "better"),
        ("higher", 1, True, "worse"),
        ("higher", 0, False, "better"),
        ("lower", 0, False, "worse"),
        ("tie", 0.049, True, "equivalent"),
        ("tie", 0.05, True, "tie"),
        ("tie", np.nan, True, "tie"),
        (None, 0.5, True, None),
    ],
)
def test_conclusion_says_who_is_better_and_what_a_tie_is(verdict, p, less_is_better, expected):
    assert conclusion(verdict, p, less_is_better) == expected


def test_identical_arms_are_called_different_in_1_family_of_20_at_most():
    """Nominal rate: Holm over the 15 pairs of six arms that do not differ."""
    pairs = list(itertools.combinations(range(6), 2))
    wrong = 0
    for x_AS in worlds(400, 0):
        p_value = block_differences(x_AS, pairs).p_value
        wrong += bool((p_value * len(pairs) < 0.05).any())  # the first step of Holm's method
    assert 0.01 < wrong / 400 < 0.075


def test_families_are_judged_as_a_whole():
    x_AS = next(worlds(1, 0, num_arms=4))
    pairs = list(itertools.combinations(range(4), 2))
    gap_P = np.array([(x_AS[a] - x_AS[b]).mean() for a, b in pairs])
    table = pd.DataFrame({"gap": gap_P, "family": ["one"] * 5 + ["two"], "verdict": "tie"})
    judge(table, x_AS, "gap", MARGIN, less_is_better=True)
    smallest = table.loc[:4, "p_value_equivalence"].min()
    assert table.loc[:4, "p_value_equivalence_holm"].min() == pytest.approx(5 * smallest)
    assert table.loc[5, "p_value_equivalence_holm"] == table.loc[5, "p_value_equivalence"]
    assert table.loc[0, "minimum_detectable"] > table.loc[5, "minimum_detectable"]


def test_contrasts_of_an_experiment_tell_equivalent_arms_from_undecided_ones():
    def table_of(noise):
        rng = np.random.default_rng(1)
        rows = [
            synthetic.final(
                synthetic.run_spec(router, 1.0, seed), 2 + seed + noise * float(rng.normal())
            )
            for router in ("top1", "softk", "hash", "topk_hard")
            for seed in range(4)
        ]
        return contrasts(rows)

    assert set(table_of(1e-4)["conclusion"]) == {"equivalent"}
    assert set(table_of(1e-1)["conclusion"]) == {"tie"}
    assert table_of(1e-1)["margin_nats"].unique() == pytest.approx([np.log(1.005)])
    expected = stats.t.isf(0.05 / 6 / 2, 9)
    error = error_of(np.array(_values(1e-1)))[0]
    assert table_of(1e-1)["minimum_detectable_nats"].iloc[0] > expected * error


def _values(noise):
    rng = np.random.default_rng(1)
    return [[2 + seed + noise * float(rng.normal()) for seed in range(4)] for _ in range(4)]
