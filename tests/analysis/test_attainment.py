"""Surfaces of draws whose law is known."""

import numpy as np
import pytest
from scipy import stats

from moebench.analysis.attainment import attainment, surface
from moebench.analysis.frontier_words import LEVELS
from moebench.analysis.summary import measure
from tests import rows as synthetic

NUM_DRAWS = 4000


@pytest.fixture(scope="module")
def arms():
    return measure(synthetic.plausible(), np.random.default_rng(0))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("num_arms", [1, 3])
def test_surface_of_equally_fast_arms_is_the_quantile_of_the_best_of_them(level, num_arms):
    nll_AD = np.random.default_rng(0).normal(size=(num_arms, NUM_DRAWS))
    x_ADX = np.stack([nll_AD, np.zeros_like(nll_AD)], axis=-1)
    [(nll, _)] = surface(x_ADX, level)
    assert nll == pytest.approx(np.quantile(nll_AD.min(axis=0), level), abs=0.01)
    assert nll == pytest.approx(stats.norm.ppf(1 - (1 - level) ** (1 / num_arms)), abs=0.08)


@pytest.mark.parametrize("level", LEVELS)
def test_surface_of_an_arm_that_is_uniform_on_both_axes_is_a_hyperbola(level):
    """Such an arm attains (a, b) with probability a b."""
    corner_NX = surface(np.random.default_rng(0).random((1, NUM_DRAWS, 2)), level)
    assert len(corner_NX) > 10
    # A corner is attained together with the next but one; half-way lies the law.
    assert corner_NX.prod(axis=1) == pytest.approx(level, abs=0.03)


def test_surface_of_three_axes_holds_what_every_draw_attains():
    x_ADX = np.broadcast_to([[1.0, 3.0, 2.0], [2.0, 1.0, 5.0]], (50, 2, 3)).transpose(1, 0, 2)
    found = surface(x_ADX, 0.95)
    assert sorted(map(tuple, found)) == [(1, 3, 2), (2, 1, 5)]


def test_surfaces_lie_one_above_the_other_and_the_median_near_the_arms(arms):
    table = attainment(arms)
    assert set(table["attained_in"]) == set(LEVELS)
    for level in LEVELS:
        mine = table[table["attained_in"] == level]
        assert mine["train_tokens_per_s"].is_monotonic_increasing
        assert mine["val_nll_causal_nats"].is_monotonic_increasing
    best = table.groupby("attained_in")["val_nll_causal_nats"].min()
    assert best[0.05] < best[0.5] < best[0.95]
    ranked = arms.table[arms.is_ranked_A]
    assert best[0.5] == pytest.approx(ranked["val_nll_causal_nats"].min(), abs=0.003)
    fastest = table.groupby("attained_in")["train_tokens_per_s"].max()
    assert fastest[0.05] > ranked["train_tokens_per_s"].max() > fastest[0.95]


def test_arms_that_are_not_ranked_attain_nothing(arms):
    best = int(arms.nll_AD.mean(axis=1).argmin())
    is_ranked_A = np.arange(len(arms.table)) != best
    without = attainment(arms._replace(is_ranked_A=is_ranked_A))
    low = without["val_nll_causal_nats"].min()
    assert low > attainment(arms)["val_nll_causal_nats"].min() + 0.005
    assert attainment(arms._replace(is_ranked_A=np.zeros_like(is_ranked_A))).empty


def test_without_draws_there_is_no_surface(arms):
    assert attainment(arms._replace(nll_AD=np.full_like(arms.nll_AD, np.nan))).empty
