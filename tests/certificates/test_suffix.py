"""What a model owes to later text: nothing where it cannot see it."""

import pytest
import torch

from moebench.lm.certificate import suffix
from moebench.lm.model import LanguageModel
from moebench.setting import prepare
from tests.lm.texts import VOCAB_SIZE, learnable_tokens
from tests.specs import run_spec


def probed(router, num_windows=40, **model):
    model = LanguageModel(run_spec(router, **model), VOCAB_SIZE, torch.ones(VOCAB_SIZE))
    tokens = learnable_tokens()
    return suffix.probe(model, tokens, prepare("cpu", "float32", 1), num_windows)


@pytest.mark.parametrize("policy", ["none", "position"])
def test_a_causal_model_owes_nothing_to_another_end(policy):
    values = probed("softk", drop_policy=policy)
    assert values["suffix_benefit_nats"] == pytest.approx(0, abs=1e-6)
    assert values["num_windows"] == 40


def test_without_a_capacity_there_being_an_end_changes_nothing():
    assert probed("softk", drop_policy="none")["decode_gap_nats"] == pytest.approx(0, abs=1e-6)


def test_a_model_that_looks_ahead_is_moved_by_another_end_and_by_none():
    values = probed("expert_choice")
    for gain in ("suffix_benefit_nats", "decode_gap_nats"):
        assert values[f"{gain}_high"] - values[f"{gain}_low"] > 1e-4
        assert values[f"{gain}_low"] < values[gain] < values[f"{gain}_high"]


def test_gains_are_losses_without_minus_losses_with_the_end():
    gain = suffix._gain("gain", torch.tensor([0.25, 0.75], dtype=torch.float64))
    assert gain["gain"] == 0.5


def test_even_few_windows_have_another_batch_to_lend_an_end():
    assert probed("softk", num_windows=2)["num_windows"] == 2 * 4


@pytest.mark.parametrize("num_tokens", [30, 100])
def test_text_too_short_to_lend_another_end_is_refused(num_tokens):
    model = LanguageModel(run_spec("softk"), VOCAB_SIZE, torch.ones(VOCAB_SIZE))
    short = learnable_tokens(400, num_tokens)
    with pytest.raises(ValueError, match="do not fill two batches of 4 windows of 16"):
        suffix.probe(model, short, prepare("cpu", "float32", 1), 2)
