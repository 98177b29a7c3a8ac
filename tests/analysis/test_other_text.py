"""Intervals over other seeds and other text, in worlds whose truth is known."""

import numpy as np
import pytest
from scipy import stats

from moebench.analysis.blocks import block_differences
from moebench.analysis.other_text import (
    Documents,
    effective_number,
    text_draws,
    text_intervals,
)

NUM_ARMS, NUM_SEEDS = 4, 3
PAIRS = [(0, 1), (2, 3)]
EQUAL_K = np.full(12, 500.0)
# As in the default text: two of nine documents hold three quarters of it.
UNEQUAL_K = np.array([18, 635, 890, 2450, 101, 1674, 11084, 8413, 158], dtype=float)


def coverage(num, num_tokens_K, taste_sd):
    """How often the interval holds the true difference, which is none.

    Every seed and every document moves all arms alike. An arm has a taste of its own for each
    document, and for each of its tokens, which is no property of the arm but of the text.
    """
    rng = np.random.default_rng(0)
    share_K, K = num_tokens_K / num_tokens_K.sum(), len(num_tokens_K)
    hits = []
    for _ in range(num):
        taste_AK = rng.normal(size=(NUM_ARMS, K))
        taste_AK += rng.normal(size=(NUM_ARMS, K)) * np.sqrt(500 / num_tokens_K)
        seeds_S, scatter_AS = rng.normal(size=NUM_SEEDS), rng.normal(size=(NUM_ARMS, NUM_SEEDS))
        nll_AK = 5 * rng.normal(size=K) + taste_sd * taste_AK
        nll_AS = (nll_AK @ share_K)[:, None] + seeds_S + 0.05 * scatter_AS
        low, high = text_intervals(nll_AS, Documents(num_tokens_K, nll_AK), PAIRS, rng)
        hits += list((low <= 0) & (high >= 0))
    return np.mean(hits)


@pytest.fixture(autouse=True)
def _few_draws(monkeypatch):
    monkeypatch.setattr("moebench.analysis.other_text.NUM_DRAWS", 500)


@pytest.mark.slow
@pytest.mark.parametrize("taste_sd", [0.01, 1.0], ids=["seeds decide", "text decides"])
@pytest.mark.parametrize("num_tokens_K", [EQUAL_K, UNEQUAL_K], ids=["equal", "unequal"])
def test_interval_covers_the_difference_on_other_text_19_times_in_20(num_tokens_K, taste_sd):
    assert coverage(500, num_tokens_K, taste_sd) == pytest.approx(0.95, abs=0.03)


def test_documents_of_equal_length_have_students_interval():
    nll_K = np.random.default_rng(0).normal(size=12)
    documents = Documents(EQUAL_K, nll_K[None])
    drawn = nll_K.mean() + text_draws(documents, np.random.default_rng(1), 100_000)[0]
    expected = stats.ttest_1samp(nll_K, 0).confidence_interval(0.95)
    assert np.quantile(drawn, [0.025, 0.975]) == pytest.approx(tuple(expected), abs=0.01)


def test_text_weighs_by_its_tokens_and_amounts_to_fewer_documents_than_it_has():
    assert effective_number(EQUAL_K) == pytest.approx(12)
    assert effective_number(UNEQUAL_K) == pytest.approx(3.17, abs=0.01)
    nll_AK = np.array([[1.0, 1.0, 1.0, 9.0]])
    of_short, of_long = (
        text_draws(Documents(np.array(num, float), nll_AK), np.random.default_rng(0), 2000).std()
        for num in ([100, 100, 100, 1], [100, 100, 100, 50])
    )
    assert of_short < 0.1 * of_long


def test_where_the_text_moves_all_arms_alike_the_seeds_alone_make_the_interval(monkeypatch):
    monkeypatch.setattr("moebench.analysis.other_text.NUM_DRAWS", 20_000)
    rng = np.random.default_rng(0)
    nll_AS, nll_K = rng.normal(size=(NUM_ARMS, NUM_SEEDS)), 9 * rng.normal(size=12)
    documents = Documents(EQUAL_K, np.tile(nll_K, (NUM_ARMS, 1)))
    found = text_intervals(nll_AS, documents, PAIRS, rng)
    of_seeds = block_differences(nll_AS, PAIRS)
    room = 0.03 * float((of_seeds.high - of_seeds.low).max())
    assert found.low == pytest.approx(of_seeds.low, abs=room)
    assert found.high == pytest.approx(of_seeds.high, abs=room)


def test_a_hard_document_is_hard_for_all_arms():
    nll_K = 9 * np.random.default_rng(0).normal(size=12)
    documents = Documents(EQUAL_K, np.stack([nll_K, nll_K + 1]))
    draws_AD = text_draws(documents, np.random.default_rng(1), 50)
    assert draws_AD[0] == pytest.approx(draws_AD[1])


@pytest.mark.parametrize(
    "num_tokens_K", [None, [500.0, 500.0], [9000.0, 9.0, 9.0, 9.0]], ids=["unlike", "few", "one"]
)
def test_nothing_is_said_of_other_text_from_unlike_or_few_documents(num_tokens_K):
    nll_AS = np.random.default_rng(0).normal(size=(2, 3))
    documents = None
    if num_tokens_K is not None:
        documents = Documents(np.array(num_tokens_K), np.ones((2, len(num_tokens_K))))
    found = text_intervals(nll_AS, documents, [(0, 1)], np.random.default_rng(0))
    assert np.isnan(found).all()
