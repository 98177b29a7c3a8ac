"""What every layout must satisfy. A new file in moebench/parallel/layouts is found unasked.

Ranks are threads here; tests/distributed runs the same layouts over the real communicators.
"""

from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from moebench import registry
from moebench.parallel import experts, oracle
from moebench.parallel.communicators.base import Alone
from moebench.parallel.layouts.base import Layout
from moebench.parallel.network import Cell, Network
from moebench.parallel.weights import Weights
from tests.distributed.threads import run_ranks

LAYOUTS = registry.names("parallel.layouts")
DISTRIBUTED = [name for name in LAYOUTS if registry.load(Layout, name).is_distributed]
every_layout = pytest.mark.parametrize("name", LAYOUTS)
every_distributed = pytest.mark.parametrize("name", DISTRIBUTED)
every_world_size = pytest.mark.parametrize("world_size", [1, 2, 3, 4, 8])

# More experts than ranks, and as many rows for each as there are to spare; fewer experts, rows and
# outputs than ranks; sizes that no number of ranks divides.
NETWORKS = {
    "uneven": (Network(num_experts=5, top_k=2, feature_dim=6, hidden_dim=11, output_dim=3), 13),
    "scarce": (Network(num_experts=2, top_k=1, feature_dim=3, hidden_dim=5, output_dim=2), 3),
    "even": (Network(num_experts=8, top_k=4, feature_dim=4, hidden_dim=16, output_dim=8), 16),
}


def weights_of(network, routing="natural", world_size=1, dtype=torch.float64):
    bias = oracle.ROUTINGS[routing](network, world_size)
    return Weights(network=network, dtype=dtype, gate_bias_E=bias)


def reference(weights, batch_size):
    return oracle.answers(registry.load(Layout, "single_loop")(weights, Alone()), batch_size)


def assert_equals_reference(name, world_size, weights, batch_size):
    def answers(group):
        return oracle.answers(registry.load(Layout, name)(weights, group), batch_size)

    wanted = reference(weights, batch_size)
    for got in run_ranks(world_size, answers):
        assert got.keys() == wanted.keys()
        for tensor, expected in wanted.items():
            torch.testing.assert_close(got[tensor], expected, msg=lambda m, t=tensor: f"{t}: {m}")


@pytest.mark.slow
@every_layout
@every_world_size
@pytest.mark.parametrize("network", NETWORKS)
def test_values_and_gradients_equal_the_loop_on_every_rank(name, world_size, network):
    network, batch_size = NETWORKS[network]
    assert_equals_reference(name, world_size, weights_of(network), batch_size)


@pytest.mark.slow
@every_layout
@pytest.mark.parametrize("routing", sorted(oracle.ROUTINGS))
@pytest.mark.parametrize("fused", [True, False])
def test_skewed_routings_equal_the_loop_both_ways_of_multiplying(name, routing, fused, monkeypatch):
    monkeypatch.setattr(experts, "is_fused", lambda *sizes: fused)
    network, batch_size = NETWORKS["uneven"]
    assert_equals_reference(name, 4, weights_of(network, routing, 4), batch_size)


@pytest.mark.slow
@every_layout
@settings(max_examples=15, deadline=None, derandomize=True)
@given(data=st.data())
def test_any_sizes_equal_the_loop(name, data):
    draw = data.draw
    E = draw(st.integers(1, 6), "experts")
    sizes = {"feature_dim": 7, "hidden_dim": 9, "output_dim": 5}
    network = Network(
        num_experts=E,
        top_k=draw(st.integers(1, E), "k"),
        **{size: draw(st.integers(1, most), size) for size, most in sizes.items()},
    )
    world_size, batch_size = draw(st.integers(1, 5), "ranks"), draw(st.integers(1, 9), "batch")
    assert_equals_reference(name, world_size, weights_of(network), batch_size)


@pytest.mark.slow
@every_layout
def test_without_gradients_the_values_are_the_same(name):
    network, batch_size = NETWORKS["uneven"]
    weights = weights_of(network)

    @torch.no_grad()
    def forward(group):
        return registry.load(Layout, name)(weights, group).forward(weights.inputs(batch_size))

    for got in run_ranks(4, forward):
        assert not got.requires_grad
        torch.testing.assert_close(got, reference(weights, batch_size)["output"])


def sent_and_predicted(name, world_size, weights, batch_size):
    """Messages of a forward and of a backward pass on every rank, counted and predicted."""
    network = weights.network
    cell = Cell(network=network, batch_size=batch_size, world_size=world_size, itemsize=8)
    gate_EF, gate_bias_E = weights.gate()
    x_BF = weights.inputs(batch_size)
    expert_BK = experts.route(x_BF, gate_EF, gate_bias_E, network.top_k).expert_BK

    def count(group):
        layout = registry.load(Layout, name)(weights, group)
        trace = layout.trace
        trace.reset()
        y_BO = layout.forward(x_BF.clone().requires_grad_())
        forward = Counter(trace.sent)
        trace.reset()
        y_BO.sum().backward()
        predicted = layout.communication(cell, group.rank, expert_BK)
        return (forward, Counter(trace.sent)), (
            Counter(predicted.forward),
            Counter(predicted.backward),
        )

    return run_ranks(world_size, count)


@pytest.mark.slow
@every_layout
@every_world_size
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("routing", ["natural", "one_expert", "starved_rank"])
def test_what_is_sent_is_what_was_predicted(name, world_size, network, routing):
    network, batch_size = NETWORKS[network]
    weights = weights_of(network, routing, world_size)
    for sent, predicted in sent_and_predicted(name, world_size, weights, batch_size):
        assert sent == predicted


@every_layout
def test_one_rank_sends_nothing(name):
    network, batch_size = NETWORKS["even"]
    [(sent, _)] = sent_and_predicted(name, 1, weights_of(network), batch_size)
    assert sent == (Counter(), Counter())


@pytest.mark.slow
@every_layout
@every_world_size
@pytest.mark.parametrize("network", NETWORKS)
def test_predicted_bytes_of_weights_are_those_of_the_parameters(name, world_size, network):
    network, batch_size = NETWORKS[network]
    weights = weights_of(network)
    cell = Cell(network=network, batch_size=batch_size, world_size=world_size, itemsize=8)
    routing = torch.arange(batch_size * network.top_k).view(batch_size, -1) % network.num_experts

    def sizes(group):
        layout = registry.load(Layout, name)(weights, group)
        held = sum(parameter.nbytes for parameter in layout.parameters())
        return held, layout.memory(cell, group.rank, routing).weights_bytes

    for held, predicted in run_ranks(world_size, sizes):
        assert held == predicted


class Made(TorchDispatchMode):
    """Counts the bytes of every tensor that a pass makes, views and in-place results apart."""

    def __init__(self):
        super().__init__()
        self.storages = {}

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        for each in out if isinstance(out, tuple | list) else [out]:
            if isinstance(each, torch.Tensor):
                storage = each.untyped_storage()
                self.storages[storage.data_ptr()] = (storage.nbytes(), each)  # kept alive
        return out


@pytest.mark.slow
@every_layout
@pytest.mark.parametrize("fused", [True, False])
def test_predicted_bytes_of_a_pass_are_those_it_makes(name, fused, monkeypatch):
    monkeypatch.setattr(experts, "is_fused", lambda *sizes: fused)
    monkeypatch.setattr("moebench.parallel.footprint.is_fused", lambda *sizes: fused)
    network = Network(num_experts=8, top_k=2, feature_dim=48, hidden_dim=64, output_dim=32)
    batch_size, world_size = 64, 4
    weights = weights_of(network)
    cell = Cell(network=network, batch_size=batch_size, world_size=world_size, itemsize=8)
    x_BF = weights.inputs(batch_size)
    expert_BK = experts.route(x_BF, *weights.gate(), network.top_k).expert_BK

    def sizes(group):
        layout = registry.load(Layout, name)(weights, group)
        own = {each.untyped_storage().data_ptr() for each in (x_BF, *layout.parameters())}
        with torch.no_grad(), Made() as made:
            layout.forward(x_BF)
        bytes_made = sum(size for at, (size, _) in made.storages.items() if at not in own)
        predicted = layout.memory(cell, group.rank, expert_BK)
        return bytes_made, predicted.activations_bytes + predicted.buffers_bytes

    for made, predicted in run_ranks(world_size, sizes):
        assert predicted == pytest.approx(made, rel=0.1)


@every_distributed
def test_every_number_of_an_expert_lies_on_exactly_one_rank(name):
    network, _ = NETWORKS["uneven"]
    weights = weights_of(network)

    def numbers(group):
        layout = registry.load(Layout, name)(weights, group)
        return sum(each.numel() for each in layout.experts.parameters())

    own = network.hidden_dim * (network.feature_dim + 1 + network.output_dim) + network.output_dim
    assert sum(run_ranks(4, numbers)) == network.num_experts * own


@every_layout
def test_idle_ranks_are_those_without_a_part_of_any_expert(name):
    network, batch_size = NETWORKS["scarce"]
    weights = weights_of(network)
    cell = Cell(network=network, batch_size=batch_size, world_size=8)

    def is_idle(group):
        if not registry.load(Layout, name).is_distributed:
            return group.rank > 0
        return registry.load(Layout, name)(weights, group).experts.parameters()[0].numel() == 0

    counted = sum(run_ranks(8, is_idle))
    assert registry.load(Layout, name).num_idle_ranks(cell) == counted


@every_layout
def test_time_is_split_into_parts_that_add_up(name):
    network, batch_size = NETWORKS["even"]
    weights = weights_of(network)

    def parts(group):
        layout = registry.load(Layout, name)(weights, group)
        ticks = iter(range(10_000))
        layout.trace.start(lambda: float(next(ticks)))
        layout.forward(weights.inputs(batch_size))
        layout.trace.stop("rest")
        return dict(layout.trace.parts_s), float(next(ticks) - 1)

    for parts_s, whole_s in run_ranks(4, parts):
        assert sum(parts_s.values()) == whole_s
        assert {"routing", "experts"} <= parts_s.keys()
        collectives = parts_s.keys() - {"routing", "dispatch", "experts", "waiting", "rest"}
        assert bool(collectives) == (name in DISTRIBUTED)
