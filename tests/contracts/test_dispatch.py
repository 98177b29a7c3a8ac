"""What every dispatch must hold. A new file in moebench/dispatch is found and tested unasked."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from moebench import registry
from moebench.dispatch.base import Dispatch, Experts
from moebench.dispatch.reference import Reference
from moebench.routers.base import Routing

every_dispatch = pytest.mark.parametrize("name", registry.names("dispatch"))


def routing_of(assignments, num_tokens, num_experts, dtype=torch.float64):
    """Random weights on the given (token, expert) pairs."""
    pairs = torch.tensor(assignments, dtype=torch.long).reshape(-1, 2)
    return Routing(
        token_N=pairs[:, 0],
        expert_N=pairs[:, 1],
        weight_N=torch.randn(len(pairs), dtype=dtype, requires_grad=True),
        num_tokens=num_tokens,
        num_experts=num_experts,
        num_requested=len(pairs),
        balance_loss=torch.zeros((), dtype=dtype),
    )


def layer_of(num_tokens, num_experts, dim=3, hidden=5, dtype=torch.float64):
    """Random input and experts."""
    experts = Experts(num_experts, dim, hidden).to(dtype)
    for parameter in experts.parameters():
        torch.nn.init.normal_(parameter)
    return torch.randn(num_tokens, dim, dtype=dtype, requires_grad=True), experts


def answers(dispatch, x_TD, routing, experts):
    """Output, and the gradients of input, weights and every matrix; zero where there is none."""
    y_TD = dispatch(x_TD, routing, experts)
    inputs = [x_TD, routing.weight_N, *experts.parameters()]
    slope_TD = torch.linspace(-1, 1, y_TD.numel(), dtype=y_TD.dtype).view_as(y_TD)
    total = (y_TD * slope_TD).sum() + 0 * sum(each.sum() for each in inputs)
    return [y_TD, *torch.autograd.grad(total, inputs)]


def assert_equals_reference(name, x_TD, routing, experts):
    dispatch = registry.load(Dispatch, name)()
    for got, wanted in zip(
        answers(dispatch, x_TD, routing, experts),
        answers(Reference(), x_TD, routing, experts),
        strict=True,
    ):
        torch.testing.assert_close(got, wanted)


@st.composite
def assignments(draw):
    """Any set of (token, expert) pairs in any order, each at most once."""
    num_tokens, num_experts = draw(st.integers(1, 9)), draw(st.integers(1, 5))
    pair = st.tuples(st.integers(0, num_tokens - 1), st.integers(0, num_experts - 1))
    return draw(st.lists(pair, unique=True, max_size=30)), num_tokens, num_experts


@every_dispatch
@settings(deadline=None, max_examples=60, derandomize=True)
@given(drawn=assignments(), dim=st.integers(1, 5), hidden=st.integers(1, 7))
def test_values_and_gradients_equal_the_reference(name, drawn, dim, hidden):
    pairs, num_tokens, num_experts = drawn
    assert_equals_reference(name, *_case(pairs, num_tokens, num_experts, dim=dim, hidden=hidden))


def _case(pairs, num_tokens, num_experts, **sizes):
    x_TD, experts = layer_of(num_tokens, num_experts, **sizes)
    return x_TD, routing_of(pairs, num_tokens, num_experts), experts


EDGES = {
    "nothing is routed": ([], 3, 2),
    "one token, one expert": ([(0, 0)], 1, 1),
    "an expert with nothing": ([(0, 2), (1, 0), (2, 2)], 3, 4),
    "all tokens to one expert": ([(t, 1) for t in range(6)], 6, 3),
    "every token to every expert": ([(t, e) for e in range(3) for t in range(4)], 4, 3),
    "a token without an expert": ([(0, 1), (2, 1), (2, 0)], 4, 2),
    "tokens out of order": ([(3, 0), (0, 1), (3, 1), (1, 0)], 4, 2),
}


@every_dispatch
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("edge", EDGES)
def test_edges_equal_the_reference(name, edge, threads):
    torch.set_num_threads(threads)
    assert_equals_reference(name, *_case(*EDGES[edge]))


@every_dispatch
@pytest.mark.parametrize("threads", [1, 2])
def test_many_rows_equal_the_reference_with_any_number_of_threads(name, threads):
    """More rows than one pass of a vectorised kernel, unevenly spread."""
    torch.set_num_threads(threads)
    pairs = [(t, e) for t in range(300) for e in {t % 5, (t * t) % 7}]
    assert_equals_reference(name, *_case(pairs, 300, 7, dim=16, hidden=24))


@every_dispatch
@pytest.mark.parametrize("frozen", ["x", "weight", "w_in", "w_out", "experts"])
def test_what_is_frozen_gets_no_gradient_and_the_rest_keeps_its_own(name, frozen):
    x_TD, routing, experts = _case(*EDGES["a token without an expert"])
    parts = {
        "x": [x_TD],
        "weight": [routing.weight_N],
        "w_in": list(experts.w_in),
        "w_out": list(experts.w_out),
        "experts": list(experts.parameters()),
    }
    everything = [x_TD, routing.weight_N, *experts.parameters()]
    whole = answers(Reference(), x_TD, routing, experts)[1:]
    for tensor in parts[frozen]:
        tensor.requires_grad_(False)
    y_TD = registry.load(Dispatch, name)()(x_TD, routing, experts)
    y_TD.backward(torch.linspace(-1, 1, y_TD.numel(), dtype=y_TD.dtype).view_as(y_TD))
    for tensor, wanted in zip(everything, whole, strict=True):
        if any(tensor is each for each in parts[frozen]):
            assert tensor.grad is None
        else:
            torch.testing.assert_close(tensor.grad, wanted)


@every_dispatch
def test_without_gradients_the_values_are_the_same(name):
    x_TD, routing, experts = _case(*EDGES["tokens out of order"])
    dispatch = registry.load(Dispatch, name)()
    with torch.no_grad():
        y_TD = dispatch(x_TD, routing, experts)
    assert y_TD.grad_fn is None
    torch.testing.assert_close(y_TD, Reference()(x_TD, routing, experts).detach())


@every_dispatch
def test_autocast_multiplies_in_its_type_and_weights_in_float32(name):
    x_TD, experts = layer_of(12, 3, dim=16, hidden=32, dtype=torch.float32)
    pairs = [(t, e) for t in range(12) for e in (t % 3, (t + 1) % 3)]
    routing = routing_of(pairs, 12, 3, dtype=torch.float32)
    exact = answers(Reference(), x_TD, routing, experts)
    with torch.autocast("cpu", torch.bfloat16):
        rough = answers(registry.load(Dispatch, name)(), x_TD, routing, experts)
    assert rough[0].dtype == torch.float32
    # bfloat16 keeps 8 bits: a sum of some dozens of products is right to a few per cent.
    for got, wanted in zip(rough, exact, strict=True):
        assert got.dtype == wanted.dtype
        error = (got - wanted).norm() / wanted.norm()
        assert 1e-5 < error < 0.03
