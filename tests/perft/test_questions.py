import pytest
import torch

from moebench.perft.base import AdaptedModel
from moebench.perft.questions import Encoded, collate, nll_BS, training_batch
from tests.perft.tiny import questions, tiny_base

PAIR = [Encoded(ids=[5, 6, 7, 8], num_prompt=2), Encoded(ids=[9, 4], num_prompt=1)]


def test_answers_and_padding_are_marked_at_the_tokens_that_are_predicted():
    batch = collate(PAIR)
    assert batch.input_BS.tolist() == [[5, 6, 7], [9, 4, 0]]
    assert batch.target_BS.tolist() == [[6, 7, 8], [4, 0, 0]]
    assert batch.counted_BS("answers").tolist() == [[False, True, True], [True, False, False]]
    assert batch.counted_BS("all").tolist() == [[True, True, True], [True, False, False]]


def test_the_loss_of_a_question_does_not_depend_on_its_neighbours():
    model = AdaptedModel(tiny_base())
    both, alone = collate(PAIR), collate(PAIR[1:])
    with torch.no_grad():
        nll_both = nll_BS(model(both.input_BS, both.is_token_BS).logits_BSV, both)
        nll_alone = nll_BS(model(alone.input_BS, alone.is_token_BS).logits_BSV, alone)
    torch.testing.assert_close(nll_both[1, 0], nll_alone[0, 0])


def test_an_epoch_shows_every_question_once_in_an_order_of_its_own():
    made = questions(18)

    def seen(steps, seed=0):
        batches = [training_batch(made, seed, step, 6) for step in steps]
        return [row.tolist() for batch in batches for row in batch.input_BS[:, 0]]

    assert sorted(seen([1, 2, 3])) == sorted(each.ids[0] for each in made)
    assert seen([1, 2, 3]) != seen([4, 5, 6])
    assert seen([1, 2, 3]) == seen([1, 2, 3])
    assert seen([1, 2, 3]) != seen([1, 2, 3], seed=1)


def test_fewer_questions_than_a_batch_are_refused():
    with pytest.raises(ValueError, match="3 questions to train on are fewer than batch_size=4"):
        training_batch(questions(3), 0, 1, 4)
