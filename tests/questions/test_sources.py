"""Sources of questions: well formed, always the same, and clear about what is wrong."""

import json
import urllib.error

import pytest

from moebench import registry
from moebench.questions.question import Question, QuestionError
from moebench.questions.sources import generated, hub
from moebench.questions.sources.base import Source
from moebench.questions.sources.generated import Generated, check
from moebench.questions.sources.local import Local
from tests.questions.texts import folder_of, record
from tests.specs import ROOT

COMMONSENSE = ROOT / ".." / "shared" / "data" / "commonsense"


def test_a_generated_answer_is_the_one_that_its_words_ask_for():
    source = Generated(num_questions=900)
    for question, part in source.questions():
        assert check(question, source.facts_by_name) == question.answer
        assert part is None


def test_equal_seeds_give_equal_questions_and_others_do_not():
    first, again, other = (
        [question for question, _ in Generated(num_questions=60, seed=seed).questions()]
        for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_generated_options_are_different_and_leave_chance_where_it_is_said_to_be():
    source = Generated(num_questions=300, num_options=3)
    places = []
    for question, _ in source.questions():
        assert len(set(question.options)) == 3
        places.append(question.options.index(question.answer))
    assert all(60 < places.count(place) < 140 for place in range(3))


def test_no_generated_question_is_asked_twice():
    keys = [
        question.key
        for question, _ in Generated(num_questions=1500, largest=50, num_facts=60).questions()
    ]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"num_questions": 0}, "num_questions=0 must be in 1"),
        ({"largest": 1}, "largest=1 must be in 2"),
        ({"num_options": 9}, "num_options=9 must be in 2..8"),
    ],
)
def test_generated_options_out_of_range_are_refused(options, said):
    with pytest.raises(QuestionError, match=said):
        Generated(**options)


def test_more_generated_questions_than_there_are_is_an_error_and_no_shorter_set():
    with pytest.raises(QuestionError, match="there are no 5000 different questions"):
        list(Generated(num_questions=5000, largest=2, num_facts=1).questions())


def test_local_files_are_read_in_the_order_of_their_names_and_parts_go_by_pattern(tmp_path):
    folder = folder_of(tmp_path / "q", b_test=[record(3)], a_train=[record(1), record(2)])
    found = list(Local(path=str(folder), held_out="*_test.json").questions())
    assert [(question.instruction[3], part) for question, part in found] == [
        ("1", "train"),
        ("2", "train"),
        ("3", "held_out"),
    ]
    assert {part for _, part in Local(path=str(folder)).questions()} == {None}


BAD_RECORDS = [
    ([record(), {"instruction": "a"}], "q.json, record 2 has no field 'input'"),
    ([record(answer=3)], "record 1: answer is 3, and must be text"),
    (["true"], "record 1 is no object with the fields"),
    ([record(instruction="is it?")], "not in a line 'Answer format: a/b'"),
    ([record(instruction="is it?\nAnswer format: true/true")], "two or more different options"),
    ([record(answer="maybe", output="maybe")], "'maybe' is none of the options true, false"),
    ([record(output="no idea")], "does not contain the answer 'false'"),
    ([], "is not a list of one or more records"),
    ({"instruction": "a"}, "is not a list of one or more records"),
    ("{", "q.json is not JSON"),
]


@pytest.mark.parametrize(("content", "said"), BAD_RECORDS)
def test_a_bad_file_is_named_with_its_record(tmp_path, content, said):
    folder = folder_of(tmp_path / "bad", q=content)
    with pytest.raises(QuestionError) as caught:
        list(Local(path=str(folder)).questions())
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "holds no .*json"),
        ({"pattern": "*.txt"}, "holds no .*txt"),
    ],
)
def test_an_empty_folder_is_refused(tmp_path, options, said):
    with pytest.raises(QuestionError, match=said):
        Local(path=str(folder_of(tmp_path / "empty")), **options).files()


def test_a_missing_folder_and_a_pattern_that_holds_out_nothing_or_all_are_refused(tmp_path):
    with pytest.raises(QuestionError, match="no file or folder"):
        Local(path=str(tmp_path / "nowhere")).files()
    folder = folder_of(tmp_path / "q", a=[record()])
    with pytest.raises(QuestionError, match="no .* fits held_out='b.json'"):
        Local(path=str(folder), held_out="b.json").files()
    with pytest.raises(QuestionError, match="every .* fits held_out='a.json'"):
        Local(path=str(folder), held_out="a.json").files()


@pytest.mark.skipif(not COMMONSENSE.is_dir(), reason="no copy of the commonsense sets")
def test_real_sets_are_read_whole_and_every_answer_is_an_option():
    found = list(Local(path=str(COMMONSENSE), pattern="openbookqa*.json").questions())
    assert len(found) == 4957 + 500
    assert {len(question.options) for question, _ in found} == {4}


def test_without_network_the_hub_is_named_with_a_remedy(monkeypatch):
    def unreachable(address, timeout):
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(hub.urllib.request, "urlopen", unreachable)
    with pytest.raises(QuestionError) as caught:
        list(hub.Hub(name="somebody/some_set").questions())
    assert "hub: cannot read somebody/some_set" in str(caught.value)
    assert "source: local" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_hub_is_read_at_the_commit_that_is_recorded(monkeypatch):
    class Answer:
        def __enter__(self):
            return self

        def __exit__(self, *error):
            pass

        def read(self):
            return json.dumps({"sha": "f00"}).encode()

    class Records(list):
        def take(self, number):
            return self[:number]

    asked = {}

    def load(name, **options):
        asked.update(options, name=name)
        return Records([record(1), record(2), record(3)])

    monkeypatch.setattr(hub.urllib.request, "urlopen", lambda address, timeout: Answer())
    monkeypatch.setattr(hub.datasets, "load_dataset", load)
    source = hub.Hub(name="somebody/some_set", max_records=2)
    assert len(list(source.questions())) == 2
    assert asked["revision"] == "f00"
    assert source.facts()["commit"] == "f00"


@pytest.mark.parametrize("name", registry.names("questions.sources"))
def test_every_source_says_where_it_comes_from(name):
    source = registry.load(Source, name)
    assert source.__doc__
    assert registry.summary("questions.sources", name)


def test_options_letter_case_and_space_do_not_make_another_question():
    one = Question(**record(1))
    same = Question(**record(1, instruction="IS 1  even?\nAnswer format: false/true"))
    assert one.key == same.key
    assert one.key != Question(**record(2)).key
    assert one.key != Question(**record(1, input="well")).key


def test_outputs_put_each_option_where_the_answer_stands():
    question = Question(**record(1, output="it is false that 1 is; so false"))
    assert question.outputs == (
        " it is false that 1 is; so true",
        " it is false that 1 is; so false",
    )


def test_generated_facts_have_names_and_colours_of_their_seed():
    table = generated.facts(0, 20)
    assert len(table) == 20
    assert set(table.values()) <= set(generated.COLOURS)
    assert table != generated.facts(1, 20)
