"""Intervals keep their promise on samples of a known law."""

import itertools

import numpy as np
import pytest
from scipy import stats

from moebench.analysis.statistics import (
    FEWEST_ROUNDS,
    draws_interval,
    mean_interval,
    median_draws,
)

NUM_SAMPLES = 20_000


def covered(interval, truth):
    return float(((interval.low <= truth) & (truth <= interval.high)).mean())


@pytest.mark.parametrize("num_seeds", [2, 3, 5])
def test_interval_of_a_mean_covers_it_19_times_in_20(num_seeds):
    x_AS = np.random.default_rng(0).normal(1.7, 0.3, (NUM_SAMPLES, num_seeds))
    assert covered(mean_interval(x_AS), 1.7) == pytest.approx(0.95, abs=0.006)


def test_percentile_bootstrap_of_three_seeds_would_cover_only_3_times_in_4():
    x_AS = np.random.default_rng(0).normal(1.7, 0.3, (NUM_SAMPLES, 3))
    every_resample = np.array(list(itertools.product(range(3), repeat=3)))
    interval = draws_interval(x_AS[:, every_resample].mean(axis=-1))
    assert covered(interval, 1.7) < 0.8


def test_interval_of_a_mean_agrees_with_scipy():
    x_S = np.array([1.0, 1.5, 1.2])
    expected = stats.ttest_1samp(x_S, 0).confidence_interval(0.95)
    assert mean_interval(x_S) == pytest.approx(expected)


@pytest.mark.slow
@pytest.mark.parametrize("num_rounds", [10, 30])
def test_interval_of_a_median_covers_it_about_19_times_in_20(num_rounds):
    rng = np.random.default_rng(1)
    time_AR = rng.lognormal(np.log(0.2), 0.1, (600, num_rounds))
    interval = draws_interval(median_draws(time_AR, rng, 400))
    assert 0.92 <= covered(interval, 0.2) <= 0.98


def test_nothing_is_said_about_spread_from_one_seed_or_a_few_rounds():
    rng = np.random.default_rng(0)
    assert np.isnan(mean_interval(np.ones((4, 1)))).all()
    assert np.isnan(median_draws(np.ones((4, FEWEST_ROUNDS - 1)), rng, 5)).all()
    assert not np.isnan(median_draws(np.ones((4, FEWEST_ROUNDS)), rng, 5)).any()


def test_a_slow_round_is_slow_for_all_arms_in_every_draw():
    rng = np.random.default_rng(0)
    time_R = rng.lognormal(0, 1, 11)
    draws_AD = median_draws(np.stack([time_R, 1.01 * time_R]), rng, 1000)
    assert (draws_AD[1] > draws_AD[0]).all()
