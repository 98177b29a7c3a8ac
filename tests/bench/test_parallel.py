from collections import Counter

import pytest
import torch

from moebench import registry
from moebench.bench import floors
from moebench.bench import parallel as bench
from moebench.parallel.experts import route
from moebench.parallel.layouts.base import Layout
from moebench.parallel.network import Cell, Network
from moebench.parallel.weights import Weights
from moebench.records import Row
from tests.distributed.threads import run_ranks

TIME_S = {
    "single": 1e-4,
    "single_loop": 4e-4,
    "tensor": 2e-4,
    "tensor_gathered": 9e-4,
    "floor of tensor, fused": 1.9e-4,
    "floor of tensor, sorted": 1.0e-4,
    "expert_replicated": 1.2e-4,
    "floor of expert_replicated, fused": 1e-4,
    "expert": 1.5e-4,
    "floor of expert, sorted": 1e-4,
}


def rows(time_s, batch_size=64, world_size=4):
    return [
        Row(
            kind="layout",
            spec={"batch_size": batch_size, "feature_dim": 32},
            setting={"world_size": world_size},
            values={"round": turn, "arm": arm, "time_s": seconds * (1 + turn / 100)},
        )
        for turn in range(8)
        for arm, seconds in time_s.items()
    ]


def test_targets_are_met_or_not_against_the_faster_floor():
    text = bench.account(rows(TIME_S))
    verdict = {line.split(", at")[0].strip(): line.split()[-1] for line in text.splitlines()}
    assert verdict["tensor_gathered / tensor"] == "met"
    assert verdict["single_loop / single"] == "met"
    assert verdict["expert_replicated / floor of expert_replicated"] == "met"
    assert "tensor / floor of tensor, at most 1.4" in text
    assert "2.00 [2.00, 2.00] NOT met" in text, "2.0 of the sorted floor, though 1.05 of the other"
    assert text.endswith("4 of 5 targets met")


def test_eight_ranks_must_do_better_and_the_loop_is_judged_at_batch_64_alone():
    asked = {(t.slow, t.fast): (t.least, t.most) for t in bench.targets(8, 8)}
    assert asked["tensor_gathered", "tensor"] == (4.0, None)
    assert ("single_loop", "single") not in asked
    assert ("tensor_gathered", "tensor") not in {(t.slow, t.fast) for t in bench.targets(2, 8)}


@pytest.mark.parametrize("name", ["tensor", "expert_replicated", "expert"])
def test_a_floor_sends_what_its_layout_sends(name):
    network = Network(num_experts=4, top_k=2, feature_dim=8)
    weights = Weights(network=network)
    x_BF = weights.inputs(16)
    expert_BK = route(x_BF, *weights.gate(), network.top_k).expert_BK
    cell = Cell(network=network, batch_size=16, world_size=4)

    @torch.no_grad()
    def sent(group):
        layout = registry.load(Layout, name)(weights, group)
        made = (floors.exchanged if name == "expert" else floors.summed)(layout, x_BF)
        predicted = Counter(layout.communication(cell, group.rank, expert_BK).forward)
        for call in made.values():
            group.trace.reset()
            call()
            assert group.trace.sent == predicted
        return len(made)

    assert run_ranks(4, sent) == [1 if name == "expert" else 2] * 4


@pytest.mark.slow
def test_every_layout_is_clocked_on_its_slowest_rank(monkeypatch):
    monkeypatch.setattr(bench, "CELLS", [(8, 8)])
    monkeypatch.setattr(bench, "CALLS", 2)
    found = run_ranks(2, lambda group: [row.values for row in bench.measure(group, 1)])
    assert found[0] == found[1]
    assert {values["arm"] for values in found[0]} == {*registry.names("parallel.layouts"), *_FLOORS}
    assert all(values["time_s"] > 0 for values in found[0])


_FLOORS = {name for name in TIME_S if name.startswith("floor")} | {
    "floor of expert_replicated, sorted"
}
