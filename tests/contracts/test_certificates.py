"""No router looks at more than it declares. A new file in moebench/routers needs no edit here."""

import pytest
import torch

from moebench import registry
from moebench.analysis.certificates import verdict
from moebench.capacity import POLICIES
from moebench.lm.certificate import invariance
from moebench.moe import build_layer
from moebench.routers.base import Causality
from moebench.routers.softk import Softk
from tests.specs import run_spec

V = 30
ROUTERS = registry.names("routers")
every_case = pytest.mark.parametrize("policy", sorted(POLICIES))


def layer_of(name, **model):
    layer = build_layer(run_spec(name, capacity_factor=0.75, **model), torch.ones(V))
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return layer


def found(layer, num_trials=2):
    changes = invariance.probe_layer(
        layer, num_sequences=4, seq_len=16, num_trials=num_trials, vocab_size=V
    )
    readings = {"leak_nats_low": None}
    for probe, change in changes.items():
        readings[f"{probe}_output_change"] = change.output
        readings[f"{probe}_routes_changed"] = change.routes
    return verdict.found(readings)


@pytest.mark.parametrize("name", ROUTERS)
@every_case
@pytest.mark.parametrize("pool", ["batch", "sequence"])
def test_no_router_looks_at_more_than_it_declares(name, policy, pool):
    layer = layer_of(name, drop_policy=policy, pool=pool)
    assert not verdict.is_lie(str(layer.causality), found(layer))


@pytest.mark.parametrize(
    ("name", "policy", "pool", "expected"),
    [
        ("softk", "none", "batch", "token-local"),
        ("softk", "position", "sequence", "prefix-causal"),
        ("softk", "position", "batch", "batch-coupled"),
        ("softk", "gate", "sequence", "non-causal"),
        ("softk", "gate", "batch", "non-causal"),
        ("expert_choice", "none", "sequence", "non-causal"),
        ("expert_choice", "none", "batch", "non-causal"),
        ("expert_choice_position", "none", "batch", "batch-coupled"),
        ("expert_threshold", "none", "batch", "token-local"),
        ("sinkhorn", "none", "sequence", "token-local"),
        ("hash", "gate", "batch", "batch-coupled"),  # equal weights: earlier positions first
    ],
)
def test_a_class_that_is_known_is_found(name, policy, pool, expected):
    assert found(layer_of(name, drop_policy=policy, pool=pool), num_trials=8) == expected


class Liar(Softk):
    """Says that it looks at the token alone, and takes the mean of the logits of the sequence."""

    def forward(self, logits_TG, token_id_BS, capacity):
        mean_BSG = logits_TG.view(*token_id_BS.shape, -1).mean(dim=1, keepdim=True)
        looked_TG = (logits_TG.view(*token_id_BS.shape, -1) + mean_BSG).view_as(logits_TG)
        return super().forward(looked_TG, token_id_BS, capacity)


class PastLiar(Softk):
    """Looks at the token before."""

    def forward(self, logits_TG, token_id_BS, capacity):
        before_BSG = logits_TG.view(*token_id_BS.shape, -1).roll(1, dims=1)
        before_BSG = before_BSG.clone()
        before_BSG[:, 0] = 0
        return super().forward(logits_TG + before_BSG.view_as(logits_TG), token_id_BS, capacity)


@pytest.mark.parametrize(("liar", "expected"), [(Liar, "non-causal"), (PastLiar, "prefix-causal")])
def test_a_router_that_lies_is_found_out(liar, expected):
    layer = layer_of("softk", drop_policy="none")
    layer.router.__class__ = liar
    assert layer.causality == Causality.TOKEN_LOCAL
    assert found(layer) == expected
    assert verdict.is_lie(str(layer.causality), found(layer))


def test_a_sequence_alone_is_routed_as_the_layer_routes_it_alone():
    """Pool ``sequence`` is what the layer does with a batch of that one sequence."""
    for name in ("expert_choice", "softk"):
        for policy in POLICIES:
            layer = layer_of(name, drop_policy=policy, pool="sequence").double().eval()
            x_BSD = torch.randn(3, 16, 8, dtype=torch.float64)
            ids_BS = torch.randint(V, (3, 16))
            whole = layer(x_BSD, ids_BS)
            alone = [layer(x_BSD[b : b + 1], ids_BS[b : b + 1]) for b in range(3)]
            torch.testing.assert_close(whole.y_BSD, torch.cat([out.y_BSD for out in alone]))
            assert whole.kept.num_requested == sum(out.kept.num_requested for out in alone)
