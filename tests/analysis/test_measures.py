"""Load measures, rates and scores against values worked out by hand."""

import math

import pytest

from moebench.analysis.load import load_cv, max_vio, num_dead
from moebench.analysis.rates import bits_per_byte, perplexity, tokens_per_s


@pytest.mark.parametrize(
    ("load_E", "cv", "vio"),
    [
        ([5, 5, 5, 5], 0.0, 0.0),
        ([8, 0, 0, 0], math.sqrt(3), 3.0),
        ([1, 3], 0.5, 0.5),
        ([7], 0.0, 0.0),
    ],
)
def test_load_measures_equal_their_definitions(load_E, cv, vio):
    assert load_cv(load_E) == pytest.approx(cv, abs=1e-15)
    assert max_vio(load_E) == pytest.approx(vio, abs=1e-15)


@pytest.mark.parametrize("measure", [load_cv, max_vio])
@pytest.mark.parametrize("load_E", [[0, 0], [], [3, -1], [[1, 2], [3, 4]]])
def test_a_load_without_tokens_has_no_measure(measure, load_E):
    with pytest.raises(ValueError, match="not all of them 0"):
        measure(load_E)


def test_rate_times_time_is_the_tokens_seen():
    assert tokens_per_s(2048, 0.5) * 0.5 == 2048


@pytest.mark.parametrize("elapsed_s", [0.0, -1.0, math.nan])
def test_a_clock_that_did_not_advance_gives_no_rate(elapsed_s):
    with pytest.raises(ValueError, match="the clock did not advance"):
        tokens_per_s(1, elapsed_s)


def test_perplexity_is_not_capped():
    assert perplexity(0) == 1
    assert perplexity(30) == pytest.approx(1.0686474581524463e13)
    assert perplexity(1000) == math.inf


def test_bits_per_byte_counts_bytes_not_tokens():
    assert bits_per_byte(8 * math.log(2), 4) == pytest.approx(2)
    with pytest.raises(ValueError, match="empty"):
        bits_per_byte(1.0, 0)


def test_an_expert_below_a_hundredth_of_its_fair_share_is_dead():
    assert num_dead([0, 1, 99, 300]) == 1
    assert num_dead([0, 0.99, 99, 300.01]) == 2
    assert num_dead([5, 5]) == 0
