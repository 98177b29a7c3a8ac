"""The networks have the published numbers of parameters, and every kernel gives one answer."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from moebench import registry
from moebench.energy.counts import flops, work
from moebench.energy.networks import Mixture, build, seeded
from moebench.energy.sizes import active_params, dense_width, perceptron_params, width_of
from moebench.kernels.base import Experts, Kernel
from moebench.kernels.grouped import grouped_answers
from moebench.spec import PUBLISHED_SHAPES, ShapeSpec

TINY = ShapeSpec(num_experts=5, width=12, num_layers=3, top_k=2)
PUBLISHED = {
    "small": (2_687_192, 2_687_737, 977, 416),
    "large": (63_418_800, 63_426_943, 4467, 2171),
    "xl": (368_287_260, 368_360_149, 9497, 4700),
    "xxl": (2_789_237_600, 2_789_253_815, 23539, 11730),
}
kernels = pytest.mark.parametrize("kernel", registry.names("kernels"))


def num_params(network):
    return sum(each.numel() for each in network.parameters())


@pytest.mark.parametrize("size", PUBLISHED)
def test_numbers_of_parameters_are_the_published_ones(size):
    mixture, dense, total_width, active_width = PUBLISHED[size]
    shape = PUBLISHED_SHAPES[size]
    with torch.device("meta"):
        assert num_params(build("moe", shape)) == mixture
        assert num_params(build("dense_total", shape)) == dense
    assert width_of("dense_total", shape) == total_width
    assert width_of("dense_active", shape) == active_width


@pytest.mark.parametrize("num_layers", [1, 2, 5])
@pytest.mark.parametrize("num_params", [796, 12_345, 10**9])
def test_a_dense_network_is_no_wider_than_it_must_be(num_layers, num_params):
    width = dense_width(num_layers, num_params)
    assert perceptron_params(width - 1, num_layers) < num_params
    assert perceptron_params(width, num_layers) >= num_params


def test_active_parameters_are_those_of_the_chosen_experts_and_the_gate():
    with torch.device("meta"):
        mixture = build("moe", TINY)
    one = num_params(mixture.experts) // TINY.num_experts
    assert active_params(TINY) == TINY.top_k * one + num_params(mixture.gate)


def answers_and_gradients(kernel, x_BD, expert_BK, weight_BK, experts):
    x_BD, weight_BK = (each.clone().requires_grad_() for each in (x_BD, weight_BK))
    y_BC = registry.load(Kernel, kernel)()(x_BD, expert_BK, weight_BK, experts)
    wanted = [x_BD, weight_BK, *experts.parameters()]
    return y_BC, torch.autograd.grad(y_BC.square().sum(), wanted)


def routed(num_rows, seed=0, num_experts=TINY.num_experts):
    """Rows, choices in float64, as a gate makes them."""
    generator = torch.Generator().manual_seed(seed)
    x_BD = torch.randn(num_rows, 6, generator=generator, dtype=torch.float64)
    logit_BE = torch.randn(num_rows, num_experts, generator=generator, dtype=torch.float64)
    logit_BK, expert_BK = logit_BE.topk(2, dim=-1)
    return x_BD, expert_BK, logit_BK.softmax(dim=-1)


@kernels
@pytest.mark.parametrize("num_rows", [1, 3, 64, 200])
def test_every_kernel_equals_the_naive_one_gradients_included(kernel, num_rows):
    torch.manual_seed(0)
    experts = Experts(TINY.num_experts, [6, 12, 12, 4]).double()
    given = routed(num_rows)
    expected = answers_and_gradients("naive", *given, experts)
    torch.testing.assert_close(answers_and_gradients(kernel, *given, experts), expected)
    with torch.inference_mode():
        y_BC = registry.load(Kernel, kernel)()(*given, experts)
    torch.testing.assert_close(y_BC, expected[0].detach())


def test_the_naive_kernel_is_the_sum_over_choices_row_by_row():
    torch.manual_seed(0)
    experts = Experts(TINY.num_experts, [6, 12, 4]).double()
    x_BD, expert_BK, weight_BK = routed(7)
    (w1, w2), (b1, b2) = experts.weight, experts.bias
    expected = torch.stack(
        [
            sum(
                weight * (w2[e] @ (w1[e] @ x + b1[e]).clamp(min=0) + b2[e])
                for weight, e in zip(weights, chosen, strict=True)
            )
            for x, chosen, weights in zip(x_BD, expert_BK.tolist(), weight_BK, strict=True)
        ]
    )
    y_BC = registry.load(Kernel, "naive")()(x_BD, expert_BK, weight_BK, experts)
    torch.testing.assert_close(y_BC, expected)


@kernels
def test_one_expert_may_take_all_rows_and_others_none(kernel):
    torch.manual_seed(0)
    experts = Experts(3, [6, 12, 4]).double()
    x_BD = torch.randn(9, 6, dtype=torch.float64)
    expert_BK = torch.full((9, 1), 2)
    y_BC = registry.load(Kernel, kernel)()(x_BD, expert_BK, torch.ones(9, 1).double(), experts)
    expected = experts.by_expert()[2]
    h = (x_BD @ expected[0][0].T + expected[0][1]).relu()
    torch.testing.assert_close(y_BC, h @ expected[1][0].T + expected[1][1])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_grouped_product_of_gpus_gives_the_answers_of_the_slices(dtype):
    """Its kernels run on CPUs, too; bfloat16 keeps eight bits, so two parts in a hundred."""
    torch.manual_seed(0)
    experts = Experts(TINY.num_experts, [16, 32, 8]).to(dtype)
    expert_N = torch.tensor([0, 0, 1, 3, 3, 3, 4])
    x_ND = torch.randn(7, 16, dtype=dtype)
    layers = experts.by_expert()
    expected = torch.stack(
        [
            layers[e][1][0] @ (layers[e][0][0] @ x + layers[e][0][1]).relu() + layers[e][1][1]
            for x, e in zip(x_ND, expert_N.tolist(), strict=True)
        ]
    )
    error = {torch.float32: 1e-5, torch.bfloat16: 2e-2}[dtype]
    with torch.no_grad():
        answers = grouped_answers(x_ND, expert_N, experts)
    torch.testing.assert_close(answers, expected.detach(), atol=error, rtol=error)


@pytest.mark.parametrize("network", ["moe", "dense_total", "dense_active"])
def test_flops_by_formula_are_those_that_are_counted(network):
    x_BD = torch.randn(32, 784)
    model = seeded(network, TINY, seed=0)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(x_BD)
    counted = counter.get_total_flops()
    mixing = 2 * 32 * TINY.top_k * 10 if network == "moe" else 0  # weights times answers
    assert counted == 32 * flops(network, TINY) + mixing


def test_bytes_are_those_of_the_touched_weights_and_the_rows():
    mixture = seeded("moe", TINY, seed=0)
    x_BD = torch.randn(3, 784)
    touched = mixture.num_touched(x_BD)
    assert 2 <= touched <= 5
    counted = work("moe", TINY, 3, "bf16", [touched])
    experts = num_params(mixture.experts) // TINY.num_experts
    by_hand = 2 * (num_params(mixture.gate) + touched * experts + 3 * (784 + 10))
    assert counted.bytes * 3 == pytest.approx(by_hand)
    assert counted.touched_experts == touched
    dense = seeded("dense_total", TINY, seed=0)
    assert work("dense_total", TINY, 1, "f32", []).bytes == 4 * (num_params(dense) + 794)


def test_first_weights_are_those_of_the_seed_whatever_was_drawn_before():
    first = seeded("moe", TINY, seed=3).state_dict()
    torch.rand(7)
    again, other = seeded("moe", TINY, seed=3).state_dict(), seeded("moe", TINY, seed=4)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["gate.weight"], other.gate.weight)


def test_the_gate_weighs_the_chosen_logits_alone():
    mixture = seeded("moe", TINY, seed=0)
    weight_BK, expert_BK = mixture.choices(torch.randn(9, 784))
    torch.testing.assert_close(weight_BK.sum(dim=1), torch.ones(9))
    assert (weight_BK[:, 0] >= weight_BK[:, 1]).all()
    assert (expert_BK[:, 0] != expert_BK[:, 1]).all()


@pytest.mark.gpu
def test_the_grouped_kernel_never_asks_the_host_in_bfloat16():
    mixture = seeded("moe", PUBLISHED_SHAPES["small"], seed=0).to("cuda", torch.bfloat16)
    assert isinstance(mixture, Mixture)
    x_BD = torch.randn(128, 784, device="cuda", dtype=torch.bfloat16)
    with torch.inference_mode():
        mixture(x_BD)
        torch.cuda.set_sync_debug_mode("error")
        try:
            mixture(x_BD)
        finally:
            torch.cuda.set_sync_debug_mode("default")
