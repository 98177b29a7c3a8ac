"""The frontier of arms whose truth is known."""

import numpy as np
import pytest

from moebench.analysis.blocks import block_draws
from moebench.analysis.certificates.verdict import NON_CAUSAL
from moebench.analysis.frontier import on_frontier, p_on_frontier
from moebench.analysis.statistics import median_draws

NUM_DRAWS = 4000


def chances(nll_AS, time_AR, is_causal_A=None):
    rng = np.random.default_rng(0)
    nll_AD = block_draws(np.asarray(nll_AS, float), rng, NUM_DRAWS)
    speed_AD = 1 / median_draws(np.asarray(time_AR, float), rng, NUM_DRAWS)
    causal = np.ones(len(nll_AD), bool) if is_causal_A is None else np.array(is_causal_A)
    return p_on_frontier(nll_AD, speed_AD, causal)


def test_frontier_holds_what_nothing_beats_in_both():
    nll_A = np.array([2.0, 1.8, 1.9, 2.1, 1.8])
    speed_A = np.array([9.0, 5.0, 4.0, 10.0, 5.0])
    found = on_frontier(nll_A, speed_A, np.ones(5, bool))
    assert found.tolist() == [True, True, False, True, True]


def test_an_arm_that_sees_the_future_never_counts_even_if_best():
    nll_A, speed_A = np.array([1.0, 2.0, 1.9]), np.array([99.0, 9.0, 8.0])
    found = on_frontier(nll_A, speed_A, np.array([False, True, True]))
    assert found.tolist() == [False, True, True]


def test_chance_of_an_arm_that_sees_the_future_is_null_and_others_ignore_it():
    p_A = chances([[1, 1.1], [2, 2.1]], [[0.1] * 9, [0.2] * 9], [False, True])
    assert np.isnan(p_A[0])
    assert p_A[1] == 1


def test_without_a_causal_arm_the_frontier_is_empty():
    nobody = np.zeros(2, bool)
    assert not on_frontier(np.ones(2), np.ones(2), nobody).any()
    assert np.isnan(p_on_frontier(np.ones((2, 3)), np.ones((2, 3)), nobody)).all()


def test_arms_far_apart_are_on_or_off_the_frontier_with_certainty():
    noise_R = np.linspace(0.99, 1.01, 9)
    p_A = chances(
        [[2.0, 2.01, 1.99], [1.0, 1.01, 1.0], [3.0, 3.01, 3.0]],
        np.array([[0.1], [0.2], [0.3]]) * noise_R,
    )
    assert p_A == pytest.approx([1, 1, 0], abs=0.01)


def test_identical_arms_share_the_frontier():
    assert chances([[2.0, 2.2]] * 2, [[0.1, 0.2, 0.3] * 3] * 2).tolist() == [1, 1]


def test_arms_alike_in_law_each_stay_unless_beaten_in_both():
    rng = np.random.default_rng(1)
    nll_AS = [[2.1, 1.9, 2.1, 1.9], [2.1, 2.1, 1.9, 1.9]]  # equal means, uncorrelated seeds
    time_R = rng.lognormal(0, 0.2, 301)
    p_A = chances(nll_AS, [time_R, rng.permutation(time_R)])
    assert p_A == pytest.approx([0.75, 0.75], abs=0.05)


def test_what_seeds_share_does_not_blur_the_frontier():
    seed_S = np.array([-0.5, 0.1, 0.4])  # fifty times the difference between the arms
    noise_R = np.linspace(0.9, 1.1, 9)
    p_A = chances([seed_S, seed_S + 0.01], [noise_R, noise_R + 0.01])
    assert p_A.tolist() == [1, 0]


def test_one_seed_or_too_few_rounds_give_no_chance():
    assert np.isnan(chances([[2.0], [1.0]], [[0.1] * 9] * 2)).all()
    assert np.isnan(chances([[2.0, 2.1], [1.0, 1.1]], [[0.1] * 3] * 2)).all()


def test_non_causal_is_written_as_routers_write_it():
    base = pytest.importorskip("moebench.routers.base")
    from moebench.analysis.schemas import CAUSALITIES

    assert str(base.Causality.NON_CAUSAL) == NON_CAUSAL
    assert [str(each) for each in base.Causality] == CAUSALITIES
