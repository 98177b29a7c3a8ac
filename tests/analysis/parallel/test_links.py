"""Latency and bandwidth of collectives, from probes of known truth."""

import dataclasses

import numpy as np
import pytest

from moebench.analysis.parallel import positive_sum
from moebench.analysis.parallel.links import Links, Message, fit_links
from tests.analysis.parallel import truth


@pytest.mark.parametrize(("noise", "tolerance"), [(0.0, 1e-4), (0.05, 0.1)])
def test_known_latencies_and_bandwidths_are_found(noise, tolerance):
    fitted = fit_links(list(truth.probe_rows(noise)))
    assert len(fitted) == 5 * 3
    for line in fitted.itertuples():
        assert line.latency_s == pytest.approx(truth.LATENCY_S[line.world_size], rel=tolerance)
        assert line.time_per_byte_s == pytest.approx(
            truth.TIME_PER_BYTE_S[line.world_size], rel=tolerance
        )
        assert line.bandwidth_bytes_per_s == pytest.approx(1 / line.time_per_byte_s)
        assert line.is_oversubscribed == (line.world_size == 8)
        assert line.median_relative_error <= noise + 1e-6


def test_one_disturbed_size_does_not_bend_the_fit():
    rows = list(truth.probe_rows(0.01))
    spoilt = [
        dataclasses.replace(
            row, values=row.values | {"durations_s": [10 * s for s in row.values["durations_s"]]}
        )
        if row.values["message_bytes"] == 1 << 16
        else row
        for row in rows
    ]
    for line in fit_links(spoilt).itertuples():
        assert line.latency_s == pytest.approx(truth.LATENCY_S[line.world_size], rel=0.35)
        assert line.time_per_byte_s == pytest.approx(
            truth.TIME_PER_BYTE_S[line.world_size], rel=0.35
        )


def test_small_messages_count_as_much_as_large_ones():
    """Plain least squares would fit the 16 MB and give the latency any value."""
    bytes_C = np.array([1e3, 4e3, 16e3, 64e3, 256e3, 1e6, 4e6, 16e6])
    time_C = (5e-6 + bytes_C * 1e-9) * np.array([1, 1, 1, 1, 1.02, 0.98, 1.05, 0.95])
    cost_J = positive_sum.fit(np.stack([np.ones(8), bytes_C], axis=1), time_C)
    assert cost_J == pytest.approx([5e-6, 1e-9], rel=0.05)


def test_a_cost_is_never_negative():
    bytes_C = np.array([1e3, 1e4, 1e5, 1e6])
    cost_J = positive_sum.fit(np.stack([np.ones(4), bytes_C], axis=1), 1e-3 / bytes_C**0.1)
    assert (cost_J >= 0).all()
    assert cost_J[1] == 0


def test_messages_take_their_latencies_and_bytes_one_after_the_other():
    ranks_C, bytes_C = np.array([2.0, 4.0, 1.0]), np.array([1e3, 1e6, 1e9])
    once = Message("all_reduce", bytes_C, ranks_C, np.ones(3))
    often = Message("all_reduce", bytes_C, ranks_C, np.array([1.0, 4.0, 1.0]))
    time_C = truth.LINKS.times_s([once, often], 3)
    assert time_C == pytest.approx([2 * (3e-6 + 0.3e-6), 5 * (8e-6 + 500e-6), 0.0])


def test_a_collective_that_was_not_probed_has_no_time():
    message = Message("all_reduce", np.ones(2), np.array([2.0, 16.0]), np.ones(2))
    assert np.isnan(truth.LINKS.times_s([message], 2)).tolist() == [False, True]


def test_the_table_of_links_gives_the_links_back():
    links = Links.of(fit_links(list(truth.probe_rows())))
    assert links.costs["all_gather", 8] == pytest.approx((60e-6, 1.5e-9), rel=1e-4)


def test_too_few_message_sizes_are_refused():
    rows = [row for row in truth.probe_rows() if row.values["message_bytes"] <= 4096]
    with pytest.raises(ValueError, match="probed at 2 message sizes; latency and bandwidth need"):
        fit_links(rows)


def test_no_probe_at_all_is_said():
    with pytest.raises(ValueError, match="run the rule probe_links first"):
        fit_links([])
