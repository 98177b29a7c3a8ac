"""Layouts compute what the definition of dispatch computes; routings are what they say."""

import dataclasses
import itertools

import numpy as np
import pytest
import torch
from scipy import stats

from moebench.capacity import drop_over_capacity
from moebench.dispatch.base import Experts
from moebench.dispatch.reference import Reference
from moebench.packing import measure
from moebench.packing.layouts import ExpertWeights, combine, pack, run_experts
from moebench.packing.routings import Draws, cut, pieces, top_k_routing, zipf_logits
from moebench.routers.base import expert_capacity
from moebench.spec import CapacitySpec
from tests.traced import trace, traces

T, D, F, E, K = 24, 8, 6, 4, 2


def skewed_routing():
    rng = np.random.default_rng(0)
    logits_TE = torch.from_numpy(zipf_logits(rng, T, E, 1.5).astype(np.float32))
    return top_k_routing(logits_TE, K)


def small(**changes):
    sizes = {"num_experts": [E], "top_k": [K], "num_tokens": T, "seq_len": 6, "dim": D}
    plain = {"expert_dim": F, "device": "cpu", "dtype": "float32", "routings": ["normal", "zipf"]}
    return CapacitySpec(**sizes | plain | {"num_rounds": 6} | changes)


@pytest.mark.parametrize("policy", ["position", "gate", "none"])
@pytest.mark.parametrize("factor", [0.3, 1.0, 2.0])
def test_every_layout_gives_what_the_reference_gives(policy, factor):
    torch.manual_seed(0)
    x_TD = torch.randn(T, D)
    capacity = None if policy == "none" else expert_capacity(T, E, K, factor)
    kept = drop_over_capacity(skewed_routing(), capacity or T, policy, 6)
    weights = ExpertWeights(w_in_EDF=torch.randn(E, D, F), w_out_EFD=torch.randn(E, F, D))
    experts = Experts(E, D, F)
    for expert in range(E):
        experts.w_in[expert].data = weights.w_in_EDF[expert].T
        experts.w_out[expert].data = weights.w_out_EFD[expert]
    packed = pack(x_TD, kept, capacity)
    expected = Reference()(x_TD, kept, experts)
    torch.testing.assert_close(combine(packed, run_experts(packed, weights)), expected)
    assert len(packed.x_RD) == (len(kept.token_N) if capacity is None else E * capacity)


def test_a_slot_that_nobody_takes_is_a_row_of_zeros():
    packed = pack(torch.ones(T, D), skewed_routing(), T)
    assert int((packed.x_RD.abs().sum(dim=1) > 0).sum()) == T * K
    assert len(packed.x_RD) == E * T


def test_the_first_choices_of_zipf_routing_follow_the_law():
    rng = np.random.default_rng(1)
    first_T = zipf_logits(rng, 20_000, 8, 1.2).argmax(axis=1)
    law_E = np.arange(1, 9) ** -1.2
    counts_E = np.sort(np.bincount(first_T, minlength=8))[::-1]
    assert stats.chisquare(counts_E, law_E / law_E.sum() * len(first_T)).pvalue > 0.01


def test_cells_of_one_routing_get_equal_assignments_and_rounds_do_not():
    draws = Draws(small(), None)
    cells = [cell for cell in draws.cells() if cell.routing == "zipf"]
    first = [draws.draw(cell, 0).routing.expert_N for cell in cells]
    assert all(torch.equal(each, first[0]) for each in first)
    assert not torch.equal(draws.draw(cells[0], 1).routing.expert_N, first[0])


def test_rows_hold_every_cell_and_round_and_padding_grows_with_capacity():
    spec = small(capacity_factors=[1.0, 2.0])
    ticks = itertools.count(0, 0.5)
    rows = measure.measure(spec, None, "code", clock=lambda: float(next(ticks)))
    assert len(rows) == len(list(spec.cells())) * spec.num_rounds
    for row in rows:
        slots = row.values["capacity"]
        assert row.values["num_rows"] == (E * slots if slots else T * K)
        assert row.values["buffer_bytes"] == row.values["num_rows"] * D * 4
        assert row.values["pack_time_s"] == row.values["layer_time_s"] == 0.5
        assert row.spec["experiment"] == "capacity"
    found = {row.values["num_rows"] for row in rows if row.spec["policy"] == "gate"}
    assert found == {T * K, 2 * T * K}


def test_skewed_routing_drops_at_a_capacity_where_uniform_routing_does_not():
    spec = small(num_tokens=960, capacity_factors=[1.25], policies=["position"])
    rows = measure.measure(spec, None, "code")
    kept = {
        name: sum(row.values["kept"] for row in rows if row.spec["routing"] == name)
        for name in ("normal", "zipf")
    }
    asked = 960 * K * spec.num_rounds
    assert kept["normal"] == asked
    assert kept["zipf"] < 0.95 * asked


def test_a_piece_of_a_trace_asks_for_what_the_trace_asks_for():
    whole = trace(seed=0)
    routing = cut(whole, 16, 16)
    inside = (whole.token_M >= 16) & (whole.token_M < 32)
    assert (routing.token_N.numpy() + 16 == whole.token_M[inside]).all()
    assert (routing.expert_N.numpy() == whole.expert_M[inside]).all()
    assert routing.num_tokens == 16


def test_traced_routers_become_cells_of_their_own_size():
    draws = Draws(small(num_tokens=16, seq_len=8, experiment="x"), traces())
    cells = [cell for cell in draws.cells() if cell.routing == "trace"]
    assert {(cell.router, cell.num_experts, cell.top_k) for cell in cells} == {("softk", 4, 2)}
    seen = {tuple(draws.draw(cells[0], number).routing.expert_N.tolist()) for number in range(4)}
    assert len(seen) == 4


def test_routers_whose_experts_choose_are_not_tried_at_another_capacity():
    even = np.tile(np.arange(4), 16)
    choosing = dataclasses.replace(trace(seed=0), router="chooser", expert_M=even.astype(np.uint16))
    found = pieces(dataclasses.replace(traces(), traces=[choosing, trace(seed=0)]), 16)
    assert set(found) == {"softk"}


@pytest.mark.parametrize("num_tokens", [12, 64])
def test_a_trace_that_is_too_short_is_refused(num_tokens):
    with pytest.raises(ValueError, match="trace more with tracing.num_tokens"):
        pieces(traces(), num_tokens)
