"""Shared experts and finer experts: what a token costs and what all experts hold stays the same."""

import pytest
import torch

from moebench.lm.model import LanguageModel
from moebench.moe import DenseLayer, build_layer
from tests.specs import run_spec

V, D, F = 30, 8, 32
STRUCTURES = [{"expert_granularity": 4}, {"num_shared_experts": 1}, {"num_shared_experts": 3}]
STRUCTURES[2]["expert_granularity"] = 2


def make_model(router="softk", **model):
    return LanguageModel(run_spec(router, **model), V, torch.ones(V))


def make_layer(**model):
    layer = build_layer(run_spec("softk", drop_policy="none", **model), torch.ones(V)).double()
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return layer


def side_by_side(*experts):
    """One dense layer whose hidden units are those of all given experts."""
    both = [
        torch.cat([matrix for each in experts for matrix in getattr(each, name)])
        for name in ("w_in", "w_out")
    ]
    dense = DenseLayer(D, len(both[0])).double()
    for name, matrix in zip(("w_in", "w_out"), both, strict=True):
        getattr(dense.experts, name)[0].data.copy_(matrix)
    return dense


@pytest.mark.parametrize("structure", STRUCTURES)
def test_parameters_and_flops_change_by_those_of_the_gate_alone(structure):
    plain, changed = make_model(), make_model(**structure)
    spec = changed.spec.model
    columns = 2 * D * (spec.num_routed_experts - 4)  # further columns of the gate, in two layers
    assert changed.num_params() == plain.num_params() + columns
    assert changed.num_active_params() == plain.num_active_params() + columns
    assert changed.flops_per_token() == plain.flops_per_token() + 2 * columns


@pytest.mark.parametrize("structure", STRUCTURES)
def test_a_token_meets_as_many_hidden_units_as_before(structure):
    layer = make_layer(**structure)
    out = layer(torch.randn(3, 5, D, dtype=torch.float64), torch.randint(V, (3, 5)))
    shared = 0 if layer.shared is None else len(layer.shared.w_in[0])
    routed = len(layer.experts.w_in[0]) * len(out.kept.token_N) / 15
    assert shared + routed == 2 * F
    assert shared + sum(len(w_in) for w_in in layer.experts.w_in) == 4 * F


@torch.no_grad()
def test_one_shared_and_one_routed_expert_are_the_dense_network_of_both():
    layer = make_layer(num_experts=2, top_k=2, num_shared_experts=1)
    x_BSD, ids_BS = torch.randn(3, 5, D, dtype=torch.float64), torch.randint(V, (3, 5))
    dense = side_by_side(layer.experts, layer.shared)
    torch.testing.assert_close(layer(x_BSD, ids_BS).y_BSD, dense(x_BSD, ids_BS).y_BSD)


@torch.no_grad()
def test_all_pieces_of_one_expert_are_that_expert_times_their_equal_weight():
    layer = make_layer(num_experts=1, top_k=1, expert_granularity=4)
    torch.nn.init.zeros_(layer.gate.weight)
    x_BSD, ids_BS = torch.randn(3, 5, D, dtype=torch.float64), torch.randint(V, (3, 5))
    whole = side_by_side(layer.experts)
    torch.testing.assert_close(4 * layer(x_BSD, ids_BS).y_BSD, whole(x_BSD, ids_BS).y_BSD)


def test_shared_experts_learn():
    layer = make_layer(num_shared_experts=1)
    x_BSD, ids_BS = torch.randn(3, 5, D, dtype=torch.float64), torch.randint(V, (3, 5))
    layer(x_BSD, ids_BS).y_BSD.square().mean().backward()
    assert layer.shared.w_in[0].grad.norm() > 0


def test_a_baseline_is_the_same_whatever_the_structure():
    plain, changed = make_model("dense"), make_model("dense", expert_granularity=2)
    assert changed.num_params() == plain.num_params()
