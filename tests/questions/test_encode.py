"""From questions to token ids: the prompt apart, what does not fit counted, nothing unknown."""

import json

import pytest
import tokenizers
from tokenizers import models, pre_tokenizers

from moebench.questions import encode as encoding
from moebench.questions import encoders
from moebench.questions.encode import EncodedFiles, Limits, encode, encode_question
from moebench.questions.export import QuestionFiles, export, read
from moebench.questions.question import Question, QuestionError
from moebench.spec import QuestionsSpec
from moebench.text.export import CorpusFiles
from moebench.text.tokenise import TokenFiles, tokenise
from tests.questions.texts import folder_of, record

TEXT = "Question: Answer format: true/false is even? the answer is 0123456789\n. abcdefgh"


def run_encoder(folder, text=TEXT, tokenizer="char"):
    """The encoder of a corpus that holds one document twice over."""
    folder.mkdir(exist_ok=True)
    corpus = CorpusFiles(*(folder / name for name in ("train.jsonl", "val.jsonl", "m.json")))
    for path in corpus[:2]:
        path.write_text(json.dumps(text) + "\n")
    corpus.manifest.write_text("{}")
    names = ("train.npy", "val.npy", "tokens.json", "tokenizer.json")
    tokens = TokenFiles(*(folder / name for name in names))
    tokenise(tokenizer, {}, corpus, tokens, seq_len=4)
    return encoders.of_run(tokens.facts, corpus.train)


def exported(folder, numbers):
    source = folder_of(folder / "source", q=[record(number) for number in numbers])
    files = QuestionFiles(*(folder / name for name in ("a.jsonl", "b.jsonl", "m.json")))
    export(QuestionsSpec(source="local", path=str(source), held_out_fraction=0.3), files)
    return files


def encoded(folder, cutoff=200, num_eval=None, numbers=range(20)):
    files = EncodedFiles(*(folder / name for name in ("ta.jsonl", "tb.jsonl", "f.json")))
    limits = Limits(cutoff=cutoff, num_eval=num_eval)
    encode(exported(folder, numbers), run_encoder(folder / "c"), limits, files)
    facts = json.loads(files.facts.read_text())
    return encoding.read(files.train), encoding.read(files.held_out), facts


def test_an_export_reads_back_as_it_was_and_says_what_chance_is(tmp_path):
    files = exported(tmp_path, range(20))
    manifest = json.loads(files.manifest.read_text())
    assert manifest["held_out"]["num_questions"] == len(read(files.held_out)) == 6
    assert manifest["train"]["chance_accuracy"] == 0.5
    found = {question.instruction for question in read(files.train) + read(files.held_out)}
    assert found == {record(number)["instruction"] for number in range(20)}


def test_prompt_and_output_decode_to_the_question_with_its_end(tmp_path):
    encoder = run_encoder(tmp_path)
    question = Question(**record(3))
    found = encode_question(question, encoder)
    names = json.loads((tmp_path / "tokens.json").read_text())["vocab"]
    told = ["".join(names[each] for each in found.prompt + output) for output in found.outputs]
    assert told[found.right] == (
        "Question:\nis 3 even?\n\nAnswer format: true/false\nAnswer: the answer is false<eod>"
    )
    assert told[0].endswith(" the answer is true<eod>")


def test_training_questions_keep_only_their_right_output(tmp_path):
    train, held_out, _ = encoded(tmp_path)
    assert {len(each.outputs) for each in train} == {1}
    assert {len(each.outputs) for each in held_out} == {2}
    assert {each.right for each in held_out} == {0, 1}


def test_what_is_too_long_is_left_out_and_counted(tmp_path):
    numbers = [*range(10), *range(10**6, 10**6 + 10)]
    _, _, everything = encoded(tmp_path, numbers=numbers)
    longest_short = len("Question:\nis 3 even?\n\nAnswer format: true/false\nAnswer:") + len(
        " the answer is false."
    )
    train, held_out, facts = encoded(tmp_path, cutoff=longest_short, numbers=numbers)
    assert facts["num_train_too_long"] + facts["num_held_out_too_long"] == 10
    assert len(train) == facts["num_train_questions"] == 14 - facts["num_train_too_long"]
    assert everything["num_train_too_long"] == 0
    assert max(each.longest for each in train + held_out) <= longest_short


def test_num_eval_takes_the_first_held_out_questions_and_none_takes_all(tmp_path):
    _, every, _ = encoded(tmp_path)
    _, few, facts = encoded(tmp_path, num_eval=2)
    assert few == every[:2]
    assert facts["num_scored_questions"] == 2
    assert facts["num_held_out_questions"] == 6


def test_a_cutoff_that_leaves_nothing_is_refused(tmp_path):
    with pytest.raises(QuestionError, match="within cutoff=9 tokens, the shortest has"):
        encoded(tmp_path, cutoff=9)


def test_a_character_that_the_tokenizer_does_not_know_is_named(tmp_path):
    encoder = run_encoder(tmp_path)
    with pytest.raises(QuestionError) as caught:
        encode_question(Question(**record(1, input="Zürich")), encoder)
    assert "'Z' (U+005A)" in str(caught.value)
    assert "take tokenizer byte" in str(caught.value)
    known = run_encoder(tmp_path / "bytes", tokenizer="byte")
    assert encode_question(Question(**record(1, input="Zürich")), known)


def a_pretrained_folder(folder, **config):
    vocabulary = {"<end>": 0, "<unk>": 1} | {c: i for i, c in enumerate(sorted(set(TEXT)), 2)}
    tokenizer = tokenizers.Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(tokenizers.Regex("[\\s\\S]"), "isolated")
    tokenizer.enable_truncation(5)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


def test_a_pretrained_tokenizer_is_read_from_its_folder_and_cuts_nothing(tmp_path):
    folder = a_pretrained_folder(
        tmp_path, eos_token={"content": "<end>"}, unk_token="<unk>", bos_token=None
    )
    encoder = encoders.of_folder(folder)
    assert len(encoder.encode("is even?")) == 8
    assert encoder.end == 0
    with pytest.raises(QuestionError, match="'Z'"):
        encoder.encode("Z")


def test_a_folder_without_a_tokenizer_or_an_end_is_refused(tmp_path):
    with pytest.raises(QuestionError, match=r"holds no tokenizer.json; save"):
        encoders.of_folder(tmp_path)
    with pytest.raises(QuestionError, match="eos_token None is no entry"):
        encoders.of_folder(a_pretrained_folder(tmp_path))
