"""The crossover, against truths that were planted."""

import numpy as np
import pytest
from scipy import stats

from moebench.analysis.energy import crossover
from moebench.analysis.energy.crossover import cross_over, crossing

SIZES_S = np.array([2.7e6, 63e6, 368e6, 2.8e9])


def straight(truth, slope=0.4):
    """Gains that grow with ln(size) and are zero at the truth."""
    return slope * np.log(SIZES_S / truth)


def noisy(rng, gain_S, num_blocks=5, sd=0.1):
    return gain_S + rng.normal(0, sd, (num_blocks, len(gain_S)))


def coverage(num_experiments, interval, seed=0, num_blocks=5):
    rng = np.random.default_rng(seed)
    covered = 0
    for _ in range(num_experiments):
        truth = np.exp(rng.uniform(np.log(5e6), np.log(1.5e9)))
        low, high = interval(noisy(rng, straight(truth), num_blocks))
        covered += low <= truth <= high
    return covered / num_experiments


def ours(gain_BS):
    """The interval, with an end that lies beyond the sizes as infinitely far."""
    found = cross_over(SIZES_S, gain_BS)
    if found.verdict in (crossover.NONE, crossover.THROUGHOUT):
        return np.inf, -np.inf
    return np.nan_to_num(found.low, nan=-np.inf), np.nan_to_num(found.high, nan=np.inf)


def resampled(gain_BS):
    """What resampling blocks would give."""
    rng = np.random.default_rng(1)
    picks = rng.integers(0, len(gain_BS), (200, len(gain_BS)))
    draws = np.exp(crossing(np.log(SIZES_S), gain_BS[picks].mean(axis=1)))
    return np.quantile(draws, [0.025, 0.975], method="closest_observation")


def test_a_planted_crossover_is_found_exactly_where_there_is_no_noise():
    gain_BS = np.tile(straight(115e6), (3, 1))
    found = cross_over(SIZES_S, gain_BS)
    assert found.verdict == crossover.WITHIN
    assert found.num_params == pytest.approx(115e6)
    assert (found.low, found.high) == (pytest.approx(115e6), pytest.approx(115e6))


@pytest.mark.slow
def test_the_interval_covers_the_truth_nineteen_times_in_twenty():
    assert stats.binomtest(round(400 * coverage(400, ours)), 400, 0.95).pvalue > 1e-3


@pytest.mark.slow
def test_the_interval_keeps_its_promise_from_two_blocks_on_and_resampling_does_not():
    for num_blocks in (2, 3, 5, 8):
        assert coverage(2500, ours, num_blocks=num_blocks) == pytest.approx(0.95, abs=0.02)
    assert coverage(1500, resampled) < 0.9


def test_what_is_common_to_the_sizes_of_a_block_widens_the_interval():
    rng = np.random.default_rng(0)
    alone = noisy(rng, straight(115e6), 6, sd=0.02)
    shared = alone + rng.normal(0, 0.2, (6, 1))
    narrow, wide = (cross_over(SIZES_S, each) for each in (alone, shared))
    assert np.log(wide.high / wide.low) > 3 * np.log(narrow.high / narrow.low)


def test_no_crossover_is_a_censored_statement_and_no_number():
    rng = np.random.default_rng(0)
    found = cross_over(SIZES_S, noisy(rng, np.full(4, -0.5)))
    assert found.verdict == crossover.NONE
    assert np.isnan([found.num_params, found.low, found.high]).all()
    assert cross_over(SIZES_S, noisy(rng, np.full(4, 0.5))).verdict == crossover.THROUGHOUT


def test_a_mixture_that_is_better_in_between_only_has_no_crossover():
    gain_BS = noisy(np.random.default_rng(0), np.array([-1, 1, -1, -1.0]), sd=0.01)
    assert cross_over(SIZES_S, gain_BS).verdict == crossover.NONE


def test_a_mixture_that_may_tie_in_between_only_has_no_earliest_size():
    gain_BS = np.array([[1, 0.1, 1, 1], [1, -0.05, 1, 1], [1, 0.02, 1, 1.0]])
    found = cross_over(SIZES_S, gain_BS)
    assert found.verdict == crossover.NOT_ABOVE
    assert np.isnan([found.num_params, found.low]).all()
    assert SIZES_S[1] < found.high < SIZES_S[2]


def test_identical_networks_tie():
    rng = np.random.default_rng(4)
    for _ in range(20):
        gain_BS = noisy(rng, np.zeros(4), num_blocks=3, sd=0.01)
        found = cross_over(SIZES_S, gain_BS)
        is_open = [crossover.is_zero_possible(gain_B) for gain_B in gain_BS.T]
        assert found.verdict != crossover.WITHIN or not all(is_open)
        if all(is_open):
            assert found.verdict == crossover.TIE
    assert cross_over(SIZES_S, np.zeros((3, 4))).verdict == crossover.TIE


def test_an_end_beyond_the_sizes_is_left_open():
    gain_BS = noisy(np.random.default_rng(0), straight(2.2e9), sd=0.3)
    found = cross_over(SIZES_S, gain_BS)
    assert found.verdict == crossover.NOT_BELOW
    assert np.isfinite(found.low)
    assert np.isnan(found.high)
    mirrored = noisy(np.random.default_rng(0), straight(3.2e6), sd=0.3)
    assert cross_over(SIZES_S, mirrored).verdict == crossover.NOT_ABOVE


def test_one_block_gives_a_point_and_no_interval():
    found = cross_over(SIZES_S, straight(115e6)[None])
    assert found.verdict == crossover.UNREPLICATED
    assert found.num_params == pytest.approx(115e6)
    assert np.isnan([found.low, found.high]).all()


def test_a_missing_cell_takes_out_its_stretch_of_its_block_only():
    gain_BS = noisy(np.random.default_rng(0), straight(115e6), 6, sd=0.02)
    whole = cross_over(SIZES_S, gain_BS)
    gain_BS[0, 3] = np.nan
    assert cross_over(SIZES_S, gain_BS) == whole
    gain_BS[0, 1] = np.nan
    assert cross_over(SIZES_S, gain_BS).low != whole.low


def test_crossings_of_many_rows_are_those_of_each():
    x_S = np.log(SIZES_S)
    gain_DS = np.stack([straight(1e8), straight(1e6), straight(1e10), np.array([1, -1, 1, 2.0])])
    found = crossing(x_S, gain_DS)
    assert np.exp(found[0]) == pytest.approx(1e8)
    assert found[1] == -np.inf
    assert found[2] == np.inf
    assert x_S[1] < found[3] < x_S[2]
    assert found.tolist() == [float(crossing(x_S, gain_S)) for gain_S in gain_DS]
