"""What router classes declare, and the config relies on without importing them, is true.

Shapes: T tokens, E experts, G columns of the gate.
"""

import pytest
import torch

from moebench import registry
from moebench.routers.base import Router, RouterSetting

V = 30
ROUTERS = registry.names("routers")
FLAGS = ("needs_batch", "ignores_gate", "fills_capacity")
every_router = pytest.mark.parametrize("name", ROUTERS)


def choices(name, logits, capacity=16, num_sequences=4):
    """Who goes where of 64 tokens, by a fresh router that scores; ``logits`` is a seed."""
    setting = RouterSetting(num_experts=4, top_k=2, token_count_V=torch.arange(V).flip(0))
    router = registry.load(Router, name)(setting).eval()
    ids_BS = torch.randint(V, (64,), generator=torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(logits)
    logits_TG = torch.randn(64, router.num_logits, generator=generator)
    routing = router(logits_TG, ids_BS.view(num_sequences, -1), capacity)
    return set(zip(routing.token_N.tolist(), routing.expert_N.tolist(), strict=True))


@every_router
@pytest.mark.parametrize("flag", FLAGS)
def test_a_flag_reads_from_the_source_what_the_class_has(name, flag):
    assert registry.flag("routers", name, flag) == getattr(registry.load(Router, name), flag)


@every_router
def test_logits_decide_nothing_exactly_where_a_router_ignores_its_gate(name):
    ignores = registry.load(Router, name).ignores_gate
    assert (choices(name, logits=1) == choices(name, logits=2)) == ignores


@every_router
def test_capacity_decides_who_is_asked_for_exactly_where_a_router_fills_it(name):
    fills = registry.load(Router, name).fills_capacity
    assert (choices(name, 1, capacity=16) != choices(name, 1, capacity=32)) == fills


@every_router
def test_with_a_single_sequence_logits_decide_nothing_exactly_where_a_batch_is_needed(name):
    router = registry.load(Router, name)
    alone = [choices(name, seed, num_sequences=1) for seed in (1, 2)]
    assert (alone[0] == alone[1]) == (router.needs_batch or router.ignores_gate)
