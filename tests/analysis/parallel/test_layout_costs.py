"""The costs that the model knows of a layout are those that the layout itself counts."""

import pandas as pd
import pytest
import torch

from moebench import registry
from moebench.analysis.parallel import costs, layout_costs
from moebench.parallel import footprint
from moebench.parallel.layouts.base import Layout
from moebench.parallel.network import Cell, Network

SIZES = [
    {"world_size": W, "num_experts": E, "batch_size": B, "top_k": 2, "feature_dim": F}
    for W, E in ((1, 4), (2, 4), (4, 4), (4, 8), (8, 8))
    for B, F in ((8, 32), (64, 256), (4096, 2048))
]
DISTRIBUTED = [name for name in registry.names("parallel/layouts") if layout_costs.is_known(name)]


def table():
    return pd.DataFrame([size | {"hidden_dim": 128, "output_dim": 64} for size in SIZES])


def network(size):
    return Network(
        num_experts=size["num_experts"], top_k=size["top_k"], feature_dim=size["feature_dim"]
    )


def counted(layout, size, direction):
    """Messages of each rank under a random routing, with groups of one rank left out."""
    cell = Cell(network=network(size), batch_size=size["batch_size"], world_size=size["world_size"])
    generator = torch.Generator().manual_seed(0)
    score_BE = torch.rand(size["batch_size"], size["num_experts"], generator=generator)
    routing = score_BE.topk(size["top_k"], dim=1).indices
    found = []
    for rank in range(size["world_size"]):
        traffic = registry.load(Layout, layout).communication(cell, rank, routing)
        sent = traffic.forward + (traffic.backward if direction == "forward_backward" else [])
        found.append([tuple(message) for message in sent if message.group_size > 1])
    return found


def modelled(layout, place, direction):
    return [
        (message.collective, message.bytes_C[place], message.ranks_C[place])
        for message in layout_costs.messages(layout, direction, table())
        for _ in range(round(message.calls_C[place]))
        if message.ranks_C[place] > 1
    ]


@pytest.mark.slow
@pytest.mark.parametrize("direction", ["forward", "forward_backward"])
@pytest.mark.parametrize("layout", DISTRIBUTED)
def test_the_messages_of_the_model_are_those_of_the_layout(layout, direction):
    for place, size in enumerate(SIZES):
        ours, theirs = modelled(layout, place, direction), counted(layout, size, direction)
        for each in theirs:
            assert sorted((name, ranks) for name, _, ranks in ours) == sorted(
                (name, ranks) for name, _, ranks in each
            )
        mean = sum(message[1] for each in theirs for message in each) / len(theirs)
        chance = {8: 0.25, 64: 0.1, 4096: 0.01}[size["batch_size"]]  # in who is chosen
        assert sum(message[1] for message in ours) == pytest.approx(mean, rel=chance), size


def test_every_layout_that_there_is_has_costs():
    assert set(registry.names("parallel/layouts")) <= set(layout_costs.LAYOUTS)


def test_the_model_fuses_experts_where_layouts_do():
    cells = table()
    sizes = costs.Sizes.of(cells)
    for L, H in ((4, 128), (4, 16), (1, 128)):
        ours = costs.is_fused(sizes, L + 0 * sizes.E, H + 0 * sizes.E, sizes.B)
        theirs = [footprint.is_fused(network(size), L, H, size["batch_size"]) for size in SIZES]
        assert ours.tolist() == theirs
