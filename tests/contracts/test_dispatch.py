"""What every dispatch must hold. A new file in moebench/dispatch is found and tested unasked."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from moebench import registry
from moebench.dispatch import grouped
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
    slope_TD = torch.linspace(-1, 1, y_TD.numel(), dtype=y_TD.dtype).view_as(y_TD).to(y_TD.device)
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


def unevenly_slotted(dtype, dim=8, hidden=16):
    """A layer most of whose assignments have a slot, one expert none, and one token neither."""
    pairs = [(t, e) for t in range(40) for e in {t % 4, (t * t) % 5}]
    x_TD, experts = layer_of(40, 6, dim=dim, hidden=hidden, dtype=dtype)
    routing = routing_of(pairs, 40, 6, dtype)
    has_slot_N = (torch.arange(len(pairs)) % 3 > 0) & (routing.expert_N != 2)
    has_slot_N &= routing.token_N != 7
    return x_TD, replace(routing, has_slot_N=has_slot_N), experts


@every_dispatch
def test_assignments_without_a_slot_are_not_carried_out(name):
    x_TD, routing, experts = unevenly_slotted(torch.float64)
    place_N = routing.has_slot_N.nonzero().squeeze(1)
    alone = replace(
        routing,
        token_N=routing.token_N[place_N],
        expert_N=routing.expert_N[place_N],
        weight_N=routing.weight_N[place_N].detach().requires_grad_(),
        has_slot_N=None,
    )
    got = answers(registry.load(Dispatch, name)(), x_TD, routing, experts)
    wanted = answers(Reference(), x_TD, alone, experts)
    wanted[2] = torch.zeros_like(routing.weight_N).index_copy(0, place_N, wanted[2])
    for each, other in zip(got, wanted, strict=True):
        torch.testing.assert_close(each, other)


def test_the_product_of_all_experts_is_that_of_each():
    dtype = torch.bfloat16
    a_NI = torch.randn(20, 16, dtype=dtype, requires_grad=True)
    b_EIO = torch.randn(4, 16, 24, dtype=dtype, requires_grad=True)
    end_E = torch.tensor([5, 5, 11, 18], dtype=torch.int32)
    together = grouped.grouped_product(a_NI, b_EIO, end_E)[:18]
    each = torch.cat([a @ b for a, b in zip(a_NI[:18].split([5, 0, 6, 7]), b_EIO, strict=True)])
    torch.testing.assert_close(together, each)
    slope_NO = torch.linspace(-1, 1, each.numel(), dtype=dtype).view_as(each)
    for got, wanted in zip(
        torch.autograd.grad(together, [a_NI, b_EIO], slope_NO),
        torch.autograd.grad(each, [a_NI, b_EIO], slope_NO),
        strict=True,
    ):
        torch.testing.assert_close(got[:18], wanted[:18])


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
@every_dispatch
def test_in_bfloat16_the_answers_are_those_of_float32_to_its_rounding(name, device):
    """Also where some assignments have no slot, and torch's own grouped product runs."""
    x_TD, routing, experts = unevenly_slotted(torch.float32)
    wanted = answers(Reference(), x_TD, routing, experts)
    x_TD = x_TD.detach().to(device).requires_grad_()
    weight_N = routing.weight_N.detach().to(device).requires_grad_()
    moved = {key: getattr(routing, key).to(device) for key in ("token_N", "expert_N", "has_slot_N")}
    with torch.autocast(device, torch.bfloat16):
        got = answers(
            registry.load(Dispatch, name)(),
            x_TD,
            replace(routing, weight_N=weight_N, **moved),
            experts.to(device),
        )
    for each, other in zip(got, wanted, strict=True):
        assert (each.cpu() - other).norm() <= 0.03 * other.norm()


class Dirty(torch.autograd.Function):
    """Leaves no number behind the last expert's rows, neither forward nor backward."""

    @staticmethod
    def forward(ctx, product_NO, end):
        ctx.end = end
        return product_NO.index_fill(0, torch.arange(end, len(product_NO)), torch.nan)

    @staticmethod
    def backward(ctx, grad_NO):
        return grad_NO, None


class DirtyGradient(torch.autograd.Function):
    """The same for the gradient of what is multiplied."""

    @staticmethod
    def forward(ctx, a_NI, end):
        ctx.end = end
        return a_NI.clone()

    @staticmethod
    def backward(ctx, grad_NI):
        return grad_NI.index_fill(0, torch.arange(ctx.end, len(grad_NI)), torch.nan), None


def test_what_stands_behind_the_last_expert_reaches_nobody(monkeypatch):
    """On a GPU nothing is written there, so that anything may be read."""
    x_TD, routing, experts = unevenly_slotted(torch.float32)
    wanted = answers(Reference(), x_TD, routing, experts)
    clean = grouped.grouped_product

    def dirty(a_NI, b_EIO, end_E):
        end = int(end_E[-1])
        return Dirty.apply(clean(DirtyGradient.apply(a_NI, end), b_EIO, end_E), end)

    monkeypatch.setattr(grouped, "grouped_product", dirty)
    got = answers(grouped.Grouped(), x_TD, routing, experts)
    for each, other in zip(got, wanted, strict=True):
        torch.testing.assert_close(each, other)


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
