"""Scores without later tokens: they are causal, and serve a token by as many experts.

Shapes: B sequences of S tokens, T tokens, E experts.
"""

import pytest
import torch

from moebench import registry
from moebench.capacity import POLICIES
from moebench.lm import causal
from moebench.lm.certificate import invariance
from moebench.lm.evaluate import score
from moebench.lm.model import LanguageModel
from moebench.moe import build_layer
from moebench.pools import Slots
from moebench.routers.base import Causality
from moebench.setting import prepare
from tests.lm.texts import VOCAB_SIZE, learnable_tokens
from tests.specs import run_spec

V = 30
LOOKING = [
    (name, policy)
    for name in registry.names("routers")
    for policy in POLICIES
    if build_layer(run_spec(name, drop_policy=policy), torch.ones(V)).causality
    == Causality.NON_CAUSAL
]


def sharp(layer):
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return layer.double().eval()


def recorded(layer, num_batches=1):
    """A recorder that has seen batches of 64 sequences of 16 tokens."""
    recorder = causal.Recorder(**vars(layer.slots))
    for _ in range(num_batches):
        logits_TG = layer.gate(torch.randn(64 * 16, 8, dtype=torch.float64))
        recorder.choose(layer.router, logits_TG, torch.randint(V, (64, 16)))
    return recorder


@pytest.mark.parametrize(("name", "policy"), LOOKING)
@pytest.mark.parametrize("mode", causal.MODES)
@torch.no_grad()
def test_no_way_of_scoring_looks_at_later_tokens(name, policy, mode):
    layer = sharp(
        build_layer(run_spec(name, drop_policy=policy, capacity_factor=0.75), torch.ones(V))
    )
    layer.slots = recorded(layer).slots_for(mode)
    changes = invariance.probe_layer(layer, num_sequences=4, seq_len=16, num_trials=2, vocab_size=V)
    assert changes["future"].routes == 0
    assert changes["future"].output < 1e-9
    if mode != "position_pool":
        assert changes["mates"].routes == 0
    elif name == "expert_choice":
        assert changes["mates"].routes > 0


@pytest.mark.parametrize("factor", [0.75, 1.25])
@pytest.mark.parametrize("mode", causal.MODES)
@torch.no_grad()
def test_as_many_experts_serve_a_token_as_in_expert_choice_within_one_per_cent(mode, factor):
    layer = sharp(build_layer(run_spec("expert_choice", capacity_factor=factor), torch.ones(V)))
    slots = recorded(layer, causal.NUM_CALIBRATION_BATCHES).slots_for(mode)
    logits_TG = layer.gate(torch.randn(2048 * 16, 8, dtype=torch.float64))
    kept = slots.choose(layer.router, logits_TG, torch.randint(V, (2048, 16))).kept
    assert len(kept.token_N) / 2048 / 16 == pytest.approx(2 * factor, rel=0.01)


@torch.no_grad()
def test_a_threshold_takes_on_training_text_whom_the_expert_took():
    layer = sharp(build_layer(run_spec("expert_choice"), torch.ones(V)))
    recorder = causal.Recorder(**vars(layer.slots))
    logits_TG, ids_BS = torch.randn(64, 4, dtype=torch.float64), torch.randint(V, (4, 16))
    own = recorder.choose(layer.router, logits_TG, ids_BS).kept
    again = recorder.slots_for("threshold").choose(layer.router, logits_TG, ids_BS).kept
    assert torch.equal(causal.dense(again), causal.dense(own))


@torch.no_grad()
def test_token_choice_takes_the_heaviest_and_one_more_where_it_is_heavy_enough():
    layer = sharp(build_layer(run_spec("expert_choice", top_k=1), torch.ones(V)))
    slots = causal.CausalSlots(
        capacity_factor=1.0, drop_policy="none", pool="batch", mode="token_choice",
        threshold_E=torch.zeros(4), num_sure=1, threshold=0.3,
    )  # fmt: skip
    prob_TE = torch.tensor([[0.4, 0.35, 0.2, 0.05], [0.6, 0.2, 0.1, 0.1]])
    kept = slots.choose(layer.router, prob_TE.log(), torch.zeros(1, 2, dtype=torch.long)).kept
    taken = sorted(zip(kept.token_N.tolist(), kept.expert_N.tolist(), strict=True))
    assert taken == [(0, 0), (0, 1), (1, 0)]


def test_a_causal_model_has_the_score_that_it_has_and_no_other():
    model = LanguageModel(run_spec("softk"), VOCAB_SIZE, torch.ones(VOCAB_SIZE))
    tokens, setting = learnable_tokens(), prepare("cpu", "float32", 1)
    parallel = score(model, tokens, setting, 4)
    found = causal.causal_scores(model, tokens, setting, parallel)
    assert found["val_nll_causal_nats"] == parallel["val_nll_nats"]
    assert found["causal_mode"] == "as scored"
    assert found["val_nll_threshold_nats"] is None


def test_a_model_that_looks_ahead_is_scored_without_and_left_as_it_was():
    model = LanguageModel(run_spec("expert_choice"), VOCAB_SIZE, torch.ones(VOCAB_SIZE))
    tokens, setting = learnable_tokens(), prepare("cpu", "float32", 1)
    parallel = score(model, tokens, setting, 4)
    found = causal.causal_scores(model, tokens, setting, parallel)
    assert found["val_nll_causal_nats"] == found["val_nll_threshold_nats"]
    assert found["val_nll_causal_nats"] != parallel["val_nll_nats"]
    [of_one_document] = found["val_nll_document_causal_nats"]
    assert of_one_document == pytest.approx(found["val_nll_causal_nats"])
    assert found["causal_effective_k"] == pytest.approx(parallel["effective_k"], rel=0.15)
    assert all(type(layer.slots) is Slots for layer in model.moe_layers())
    assert score(model, tokens, setting, 4)["val_nll_nats"] == parallel["val_nll_nats"]
