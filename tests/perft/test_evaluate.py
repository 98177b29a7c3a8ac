"""Held-out answers: cross-entropy by hand, options by likelihood, nothing auxiliary."""

import math
from types import SimpleNamespace

import pytest
import torch

from moebench.perft.base import AdaptedModel, Output
from moebench.perft.evaluate import score, sequence_nll
from moebench.perft.questions import Encoded
from moebench.questions.encode import EncodedQuestion
from moebench.setting import prepare
from tests.perft.tiny import spec_of, stirred, tiny_base

V = 6


class Fixed:
    """A model that gives token ``t`` the probability ``prob_V[t]`` everywhere."""

    training = False
    base = SimpleNamespace(setting=prepare("cpu", "float32", 1))

    def __init__(self, *probabilities, balance_loss=0.0):
        self.logits_V = torch.tensor(probabilities).log()
        self.balance_loss = torch.tensor(balance_loss)

    def __call__(self, input_BS, is_token_BS):
        logits_BSV = self.logits_V.expand(*input_BS.shape, V)
        return Output(logits_BSV=logits_BSV, balance_loss=self.balance_loss)


PROBABILITIES = (0.4, 0.25, 0.15, 0.1, 0.06, 0.04)


def asked(right, *outputs):
    return EncodedQuestion(prompt=[5, 5, 5], outputs=list(map(list, outputs)), right=right)


def test_the_loss_is_the_mean_over_answer_tokens_and_sees_no_prompt_and_no_padding():
    questions = [asked(0, [0, 1]), asked(1, [3], [2, 2, 2])]
    found = score(Fixed(*PROBABILITIES), questions, batch_size=8)
    nats = -math.log(0.4) - math.log(0.25) - 3 * math.log(0.15)
    assert found["num_scored_tokens"] == 5
    assert found["answer_nll_nats"] == pytest.approx(nats / 5)


def test_an_answer_is_right_where_it_is_likelier_than_every_other_option():
    questions = [asked(0, [0], [1]), asked(1, [0], [1]), asked(2, [3], [2], [1])]
    found = score(Fixed(*PROBABILITIES), questions, batch_size=2)
    assert found["accuracy"] == pytest.approx(2 / 3)
    assert found["chance_accuracy"] == pytest.approx((1 / 2 + 1 / 2 + 1 / 3) / 3)


def test_a_tie_between_options_is_wrong_for_every_one_of_them():
    even = Fixed(*([1 / V] * V))
    for right in (0, 1):
        assert score(even, [asked(right, [0], [1])], batch_size=2)["accuracy"] == 0


def test_a_balance_loss_is_no_part_of_the_score():
    questions = [asked(0, [0, 1])]
    with_loss = score(Fixed(*PROBABILITIES, balance_loss=7.0), questions, batch_size=2)
    assert with_loss == score(Fixed(*PROBABILITIES), questions, batch_size=2)


@pytest.fixture(scope="module")
def routed():
    spec = spec_of("routed", options={"num_adapters": 4, "top_k": 1})
    return stirred(AdaptedModel(tiny_base(), spec)).eval()


def sequences():
    torch.manual_seed(5)
    lengths = (3, 9, 4, 7, 5, 8)
    return [
        Encoded(ids=torch.randint(20, (length,)).tolist(), num_prompt=1 + place % 2)
        for place, length in enumerate(lengths)
    ]


def test_neither_the_batch_nor_the_company_of_a_sequence_changes_its_score(routed):
    alone = [sequence_nll(routed, [each], 1)[0] for each in sequences()]
    for batch_size in (1, 2, 4, 6):
        assert sequence_nll(routed, sequences(), batch_size) == pytest.approx(alone, rel=1e-5)


def test_a_score_is_the_chain_of_the_models_own_probabilities(routed):
    each = sequences()[1]
    ids = torch.tensor([each.ids])
    log_prob_SV = routed(ids[:, :-1]).logits_BSV[0].log_softmax(-1)
    by_hand = -sum(
        log_prob_SV[place - 1, each.ids[place]].item()
        for place in range(each.num_prompt, len(each.ids))
    )
    assert sequence_nll(routed, [each], 1) == pytest.approx([by_hand], rel=1e-5)


def test_a_model_in_training_is_not_scored(routed):
    with pytest.raises(AssertionError):
        sequence_nll(routed.train(), sequences(), 2)
    routed.eval()
