"""Intervals over other seeds and other text, in worlds whose truth is known."""

import numpy as np
import pytest

from moebench.analysis.blocks import block_differences
from moebench.analysis.other_text import FEWEST_WINDOWS, text_draws, text_intervals

NUM_ARMS, NUM_SEEDS, NUM_WINDOWS = 4, 3, 120
PAIRS = [(0, 1), (2, 3)]


def coverage(num, taste_sd, alike=0.0):
    """How often the interval holds the true difference, which is none.

    Every seed and every window moves all arms alike; an arm has a taste of its own for each window,
    which is no property of the arm but of the text, and neighbours may be alike.
    """
    rng = np.random.default_rng(0)
    hits = []
    for _ in range(num):
        taste_AW = taste_sd * np.sqrt(1 - alike**2) * rng.normal(size=(NUM_ARMS, NUM_WINDOWS))
        for w in range(1, NUM_WINDOWS):
            taste_AW[:, w] += alike * taste_AW[:, w - 1]
        seeds_S, scatter_AS = rng.normal(size=NUM_SEEDS), rng.normal(size=(NUM_ARMS, NUM_SEEDS))
        window_AW = 5 * rng.normal(size=NUM_WINDOWS) + taste_AW
        nll_AS = window_AW.mean(axis=1)[:, None] + seeds_S + 0.05 * scatter_AS
        low, high = text_intervals(nll_AS, window_AW, PAIRS, rng)
        hits += list((low <= 0) & (high >= 0))
    return np.mean(hits)


@pytest.fixture(autouse=True)
def _few_draws(monkeypatch):
    monkeypatch.setattr("moebench.analysis.other_text.NUM_DRAWS", 500)


@pytest.mark.slow
@pytest.mark.parametrize("taste_sd", [0.01, 1.0], ids=["seeds decide", "text decides"])
def test_interval_covers_the_difference_on_other_text_about_19_times_in_20(taste_sd):
    assert coverage(250, taste_sd) == pytest.approx(0.95, abs=0.03)


@pytest.mark.slow
def test_windows_of_one_document_may_be_alike():
    assert coverage(400, 1.0, alike=0.4) == pytest.approx(0.93, abs=0.04)


def test_draws_have_the_scatter_of_a_mean_over_windows():
    window_AW = np.random.default_rng(0).normal(size=(1, 1000))
    drawn = text_draws(window_AW, np.random.default_rng(1), 2000)
    assert drawn.shape == (1, 2000)
    assert drawn.std() == pytest.approx(1 / np.sqrt(1000), rel=0.15)
    assert drawn.mean() == pytest.approx(0, abs=3e-3)


def test_where_the_text_moves_all_arms_alike_the_seeds_alone_make_the_interval():
    rng = np.random.default_rng(0)
    nll_AS, window_W = rng.normal(size=(NUM_ARMS, NUM_SEEDS)), 9 * rng.normal(size=NUM_WINDOWS)
    found = text_intervals(nll_AS, np.tile(window_W, (NUM_ARMS, 1)), PAIRS, rng)
    of_seeds = block_differences(nll_AS, PAIRS)
    assert found.low == pytest.approx(of_seeds.low, rel=0.2)
    assert found.high == pytest.approx(of_seeds.high, rel=0.2)


def test_a_hard_passage_is_hard_for_all_arms():
    window_W = 9 * np.random.default_rng(0).normal(size=200)
    draws_AD = text_draws(np.stack([window_W, window_W + 1]), np.random.default_rng(1), 50)
    assert draws_AD[0] == pytest.approx(draws_AD[1])


@pytest.mark.parametrize("window_AW", [None, np.ones((2, FEWEST_WINDOWS - 1))])
def test_nothing_is_said_of_other_text_from_unlike_or_few_windows(window_AW):
    nll_AS = np.random.default_rng(0).normal(size=(2, 3))
    found = text_intervals(nll_AS, window_AW, [(0, 1)], np.random.default_rng(0))
    assert np.isnan(found).all()
