"""No question twice, none in both parts, and the same parts whatever the order."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moebench.questions.question import Question, QuestionError
from moebench.questions.split import divide
from tests.questions.texts import record


def asked(numbers, part=None):
    return [(Question(**record(number)), part) for number in numbers]


def keys(questions):
    return [question.key for question in questions]


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 30), st.sampled_from([None, "train", "held_out"])),
             min_size=4, max_size=60),
    st.floats(0.05, 0.9),
)  # fmt: skip
def test_parts_are_disjoint_without_repeats_and_lose_nothing(pairs, fraction):
    questions = [(Question(**record(number)), part) for number, part in pairs]
    try:
        divided = divide(questions, fraction, seed=0)
    except QuestionError:
        return
    train, held_out = keys(divided.train), keys(divided.held_out)
    assert len(set(train)) == len(train)
    assert len(set(held_out)) == len(held_out)
    assert not set(train) & set(held_out)
    assert set(train) | set(held_out) == set(keys(question for question, _ in questions))
    assert divided.num_duplicates_dropped == len(questions) - len(train) - len(held_out)


def test_a_fraction_is_held_out_whatever_the_order_of_the_source():
    questions = asked(range(100))
    shuffled = random.Random(0).sample(questions, len(questions))
    divided, again = divide(questions, 0.2, 0), divide(shuffled, 0.2, 0)
    assert len(divided.held_out) == 20
    assert divided == again
    assert keys(divide(questions, 0.2, 1).held_out) != keys(divided.held_out)


def test_the_first_questions_of_a_part_are_a_sample_of_it_and_not_its_beginning():
    numbers = [int(each.instruction.split()[1]) for each in divide(asked(range(200)), 0.5, 0).train]
    assert max(numbers[:20]) > 150
    assert min(numbers[:20]) < 50


def test_a_question_in_both_parts_of_a_source_is_held_out():
    for first, second in (("train", "held_out"), ("held_out", "train")):
        divided = divide(asked([7, 8], first) + asked([7, 9], second), 0.1, 0)
        assert Question(**record(7)).key in keys(divided.held_out)
        assert Question(**record(7)).key not in keys(divided.train)
        assert divided.num_duplicates_dropped == 1


def test_a_part_without_questions_is_refused():
    with pytest.raises(QuestionError, match="leave none to train on"):
        divide(asked([1]), 0.5, 0)
    with pytest.raises(QuestionError, match="leave none to hold out"):
        divide(asked([1, 2], "train"), 0.5, 0)
