"""The oracle: what it lets pass, and what it stops."""

import pytest
import torch

from moebench.parallel import oracle, summed
from moebench.parallel.experts import route
from moebench.parallel.network import Network, share
from moebench.parallel.weights import Weights
from tests.distributed.threads import run_ranks

NETWORK = Network(num_experts=6, top_k=2, feature_dim=5, hidden_dim=7, output_dim=3)


def check(names, **more):
    return run_ranks(3, lambda group: oracle.check(names, NETWORK, 12, group, **more))


def test_layouts_that_agree_pass_under_every_routing():
    check(["tensor", "expert", "single_loop"], routings=list(oracle.ROUTINGS))


def test_a_layout_that_forgets_to_sum_is_stopped_and_named(monkeypatch):
    monkeypatch.setattr(summed, "summed", lambda group, partial: partial)
    with pytest.raises(
        oracle.LayoutDiffers, match=r"layout 'tensor', .* output on rank \d differs"
    ):
        check(["expert", "tensor"])


def test_a_wrong_gradient_is_stopped_on_every_rank_where_values_agree(monkeypatch):
    monkeypatch.setattr(summed, "replicated", lambda group, *tensors: tensors)

    def outcome(group):
        with pytest.raises(oracle.LayoutDiffers, match="input on rank 0 differs"):
            oracle.check(["expert_replicated"], NETWORK, 12, group)
        return True

    assert all(run_ranks(3, outcome))


def test_not_a_number_does_not_pass():
    nothing = {"output": torch.full((2,), torch.nan)}
    [difference] = oracle.differences(nothing, {"output": torch.ones(2)}).values()
    assert not difference <= oracle.TOLERANCE


def load(routing, world_size=3):
    """Rows of each expert under a forced routing."""
    bias = oracle.ROUTINGS[routing](NETWORK, world_size)
    weights = Weights(network=NETWORK, dtype=torch.float64, gate_bias_E=bias)
    routed = route(weights.inputs(12), *weights.gate(), NETWORK.top_k)
    return torch.bincount(routed.expert_BK.flatten(), minlength=6).tolist()


def test_routings_force_what_they_are_named_for():
    assert load("same_experts") == [12, 12, 0, 0, 0, 0]
    assert load("one_expert")[5] == 12
    assert load("starved_expert")[0] == 0
    assert [load("starved_rank")[expert] for expert in share(6, 3, 1)] == [0, 0]
    assert max(load("natural")) < 12


def test_weights_depend_on_the_seed_alone():
    def drawn(**more):
        weights = Weights(network=NETWORK, **more)
        return [*weights.gate(), *weights.expert(3), weights.inputs(4)]

    for one, same, other in zip(drawn(), drawn(), drawn(seed=1), strict=True):
        assert torch.equal(one, same)
        assert not torch.equal(one, other)
    for single, double in zip(drawn(), drawn(dtype=torch.float64), strict=True):
        assert torch.equal(single, double.float())


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"num_experts": 4, "top_k": 5}, r"top_k=5 must be in 1\.\.num_experts=4"),
        ({"num_experts": 4, "top_k": 0}, "top_k=0"),
        ({"num_experts": 0, "top_k": 1}, "num_experts=0 must be at least 1"),
    ],
)
def test_a_network_that_cannot_be_is_refused(sizes, message):
    with pytest.raises(ValueError, match=message):
        Network(feature_dim=3, **sizes)


@pytest.mark.parametrize(("total", "parts"), [(10, 4), (3, 8), (8, 8), (0, 2)])
def test_shares_are_even_and_leave_nothing_out(total, parts):
    shares = [share(total, parts, index) for index in range(parts)]
    assert [thing for each in shares for thing in each] == list(range(total))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
