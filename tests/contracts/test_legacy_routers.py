"""The legacy routers repeat what the published code did, and are kept apart from the others.

Shapes: T tokens, E experts, K choices a token, V entries of the vocabulary.
"""

import pandas as pd
import pytest
import torch

from moebench import registry
from moebench.analysis.certificates import gate
from moebench.routers.base import Causality, Router, RouterSetting
from moebench.routers.legacy import count_balance

LEGACY = [name for name in registry.names("routers") if name.startswith(gate.LEGACY)]


def make_router(name, num_experts=8, top_k=2):
    setting = RouterSetting(num_experts=num_experts, top_k=top_k, token_count_V=torch.ones(30))
    return registry.load(Router, name)(setting)


def route(router, logits_TE, capacity=1000):
    return router(logits_TE, torch.zeros(1, len(logits_TE), dtype=torch.long), capacity)


def test_there_are_five_and_each_says_in_its_first_word_what_it_is():
    assert len(LEGACY) == 5
    for name in LEGACY:
        assert registry.summary("routers", name).startswith("Legacy: ")
        assert registry.load(Router, name).balance_trains is False


@pytest.mark.parametrize(("name", "total"), [("legacy_top1", 1), ("legacy_topk_hard", 2)])
def test_hard_choices_have_weight_one_each_and_leave_the_gate_without_gradient(name, total):
    logits_TE = torch.randn(20, 8, requires_grad=True)
    routing = route(make_router(name), logits_TE)
    assert torch.bincount(routing.token_N, routing.weight_N).tolist() == [total] * 20
    assert not routing.weight_N.requires_grad


def test_the_published_hash_goes_round_by_position_with_the_neighbour_second():
    routing = route(make_router("legacy_hash"), torch.randn(16, 8))
    expert_TK = routing.expert_N.view(16, 2)
    assert (1_315_423_911 % 8, 97 % 8) == (7, 1)
    assert ((expert_TK[:, 0] + 1) % 8).equal(expert_TK[:, 1])
    assert ((expert_TK[:-1, 0] + 7) % 8).equal(expert_TK[1:, 0])
    assert expert_TK[0, 0] == 2_654_435_761 % 8


def test_a_number_of_experts_that_sends_a_token_twice_to_one_is_refused():
    with pytest.raises(ValueError, match="legacy_hash sends a token twice to one of 97 experts"):
        make_router("legacy_hash", num_experts=97)


def test_published_expert_choice_takes_64_tokens_an_expert_and_leaves_the_rest_to_soft_top_k():
    logits_TE = torch.randn(2048, 8)
    routing = route(make_router("legacy_expert_choice"), logits_TE, capacity=640)
    is_taken_TE = torch.zeros(2048, 8, dtype=torch.bool)
    for expert in range(8):
        is_taken_TE[logits_TE[:, expert].argsort(descending=True)[:64], expert] = True
    is_free_T = ~is_taken_TE.any(dim=1)
    assert 0.75 <= is_free_T.float().mean() <= 0.8
    expert_TK, weight_TK = routing.expert_N.view(2048, 2), routing.weight_N.view(2048, 2)
    best_TK = logits_TE.topk(2, dim=1)
    torch.testing.assert_close(expert_TK[is_free_T], best_TK.indices[is_free_T])
    torch.testing.assert_close(weight_TK[is_free_T], best_TK.values.softmax(dim=1)[is_free_T])
    is_alone_T = is_taken_TE.sum(dim=1) == 1
    assert weight_TK[is_alone_T].sort(dim=1).values.unique().tolist() == [0, 1]
    chosen_TE = torch.zeros(2048, 8).scatter(1, expert_TK, weight_TK)
    assert not chosen_TE[~is_free_T][~is_taken_TE[~is_free_T]].any()


def test_published_expert_choice_depends_on_the_future_and_says_so():
    assert registry.load(Router, "legacy_expert_choice").causality == Causality.NON_CAUSAL


def test_the_count_balance_loss_is_zero_when_balanced_and_looks_at_what_capacity_let_through():
    even_TK = torch.arange(8).view(8, 1)
    assert count_balance(even_TK, 8, capacity=8) == 0
    skewed_TK = torch.zeros(8, 1, dtype=torch.long)
    assert count_balance(skewed_TK, 8, 8) == pytest.approx((7 / 8) ** 2 + 7 / 64)
    mixed_TK = torch.tensor([[0], [0], [0], [1]])
    assert count_balance(mixed_TK, 2, capacity=1) == 0


def test_no_legacy_router_is_ranked():
    arms = pd.DataFrame(
        {
            "router": ["softk", "legacy_softk"],
            "causality": "token-local",
            "certified": "token-local",
            "val_nll_causal_nats": 2.0,
        }
    )
    assert gate.may_be_ranked(arms).tolist() == [True, False]
