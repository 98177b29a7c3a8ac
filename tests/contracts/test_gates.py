"""What every gate must satisfy. A new file in moebench/gates needs no edit here.

Shapes: T tokens, D width, E experts, H hidden units, S sequences of 16 tokens.
"""

import pytest
import torch
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from moebench import registry
from moebench.gates.base import Gate
from moebench.lm.model import LanguageModel
from moebench.moe import MoELayer
from tests.specs import run_spec, runs_of

GATES = registry.names("gates")
every_gate = pytest.mark.parametrize("name", GATES)
V = 30


def make_gate(name, dim, num_experts, dtype=torch.float32):
    return registry.load(Gate, name)(dim, num_experts).to(dtype)


def make_model(gate, router="softk", seed=0, **model):
    return LanguageModel(run_spec(router, seed=seed, gate=gate, **model), V, torch.ones(V))


def sizes_in_configs():
    """Every (D, E) that config.yaml and what is laid over it ask for."""
    overlays = ([], ["seeds.yaml"], ["smoke.yaml"])
    found = {
        (run.model.dim, run.model.num_experts) for o in overlays for run in runs_of(*o).values()
    }
    return sorted(found)


def spread(gate, num_tokens=256):
    """Mean variance of a token's logits over the experts, for tokens after a layer norm."""
    x_TD = functional.layer_norm(torch.randn(num_tokens, gate.dim), (gate.dim,))
    return gate(x_TD).var(dim=-1).mean().item()


@every_gate
@pytest.mark.parametrize(("dim", "num_experts"), sizes_in_configs())
@torch.no_grad()
def test_logits_begin_with_a_spread_of_one_at_the_sizes_in_the_configs(name, dim, num_experts):
    found = [spread(make_gate(name, dim, num_experts)) for _ in range(8)]
    assert sum(found) / len(found) == pytest.approx(1, rel=0.25)


@every_gate
@torch.no_grad()
def test_a_model_draws_its_gates_with_that_spread_too(name):
    layers = make_model(name, dim=64, num_experts=16, num_layers=6, ffn_mult=1).moe_layers()
    found = [spread(layer.gate) for layer in layers]
    assert sum(found) / len(found) == pytest.approx(1, rel=0.25)
    assert not torch.equal(*(next(layer.gate.parameters()) for layer in layers[:2]))


@every_gate
def test_logits_are_one_for_each_expert_and_of_the_tokens_own_vector_alone(name):
    gate = make_gate(name, 8, 5, torch.float64)
    x_TD = torch.randn(7, 8, dtype=torch.float64)
    logits_TE = gate(x_TD)
    assert logits_TE.shape == (7, 5)
    assert logits_TE.dtype == gate.dtype == torch.float64
    order_T = torch.randperm(7)
    torch.testing.assert_close(gate(x_TD[order_T]), logits_TE[order_T])
    torch.testing.assert_close(gate(x_TD[2:3]), logits_TE[2:3])


@every_gate
def test_the_task_moves_every_matrix_of_a_gate(name):
    layer = MoELayer(run_spec("softk", gate=name, drop_policy="none"), torch.ones(V)).double()
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    x_BSD = torch.randn(2, 16, 8, dtype=torch.float64)
    layer(x_BSD, torch.randint(V, (2, 16))).y_BSD.square().mean().backward()
    assert all(each.ndim == 2 for each in layer.gate.parameters())
    assert all(each.grad.norm() > 0 for each in layer.gate.parameters())


@every_gate
def test_parameters_count_as_total_and_active_where_the_router_learns(name):
    model = make_model(name)
    gate = model.moe_layers()[0].gate.num_params()
    linear = make_gate("linear", 8, 4).num_params()
    plain, more = make_model("linear"), model.spec.model.num_layers * (gate - linear)
    assert model.num_params() == plain.num_params() + more
    assert model.num_active_params() == plain.num_active_params() + more
    assert model.flops_per_token() == plain.flops_per_token() + 2 * more
    assert make_model(name, "hash").num_params() == make_model("linear", "hash").num_params()


@every_gate
def test_operations_are_two_for_each_parameter_and_token(name):
    gate = make_gate(name, 16, 4)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        gate(torch.randn(10, 16))
    assert counter.get_total_flops() == 2 * 10 * gate.num_params()


@every_gate
def test_gates_leave_all_that_they_share_with_others_as_it_is(name):
    first = dict(make_model("linear").named_parameters())
    for key, parameter in make_model(name).named_parameters():
        if ".gate." not in key:
            assert torch.equal(parameter, first[key]), key


@every_gate
def test_a_gate_computes_in_its_own_type_under_autocast(name):
    layer = MoELayer(run_spec("softk", gate=name), torch.ones(V))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = layer(torch.randn(1, 16, 8), torch.randint(V, (1, 16)))
    assert out.logits_TE.dtype == torch.float32


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("linear", 256 * 8),
        ("mlp", 256 * 128 + 128 * 8),
        ("mlp_hadamard", 2 * 256 * 256 + 256 * 8),
    ],
)
def test_parameters_are_the_published_ones_without_biases(name, expected):
    """Published at D 256 and E 8: 2,056, 33,928 and 133,640, of which 8, 136 and 520 are biases."""
    assert make_gate(name, 256, 8).num_params() == expected
    published = {"linear": 2056 - 8, "mlp": 33928 - 136, "mlp_hadamard": 133640 - 520}
    assert expected == published[name]


def test_a_narrow_mlp_still_has_64_hidden_units():
    assert make_gate("mlp", 32, 4).num_params() == 64 * (32 + 4)
