"""A tokenised corpus: its files, its counts and the scores that a network must beat."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from conftest import STORY, corpus_files, token_files

from moebench.corpora.base import CorpusError
from moebench.provenance import file_digest
from moebench.spec import CorpusSpec
from moebench.text import bigram, export
from moebench.text.tokenise import check_windows, num_bytes, tokenise
from moebench.tokenizers.tokenizer_file import TokenizerFile

STORIES = Path(__file__).parents[3] / "shared/data/tinystories_val.txt"


@pytest.fixture
def tokenised(export_text, tmp_path):
    def run(text=STORY, tokenizer="char", seq_len=16, **options):
        corpus, tokens = export_text(text), token_files(tmp_path / "tokens")
        tokenise(tokenizer, options, corpus, tokens, seq_len)
        facts = json.loads(tokens.facts.read_text(encoding="utf-8"))
        return corpus, tokens, facts

    return run


OPTIONS = {"bpe": {"vocab_size": 280}}


@pytest.mark.parametrize("tokenizer", ["char", "byte", "bpe"])
def test_counts_and_digests_are_those_of_the_files(tokenised, tokenizer):
    corpus, tokens, facts = tokenised(tokenizer=tokenizer, **OPTIONS.get(tokenizer, {}))
    train_N, validation_N = np.load(tokens.train), np.load(tokens.validation)
    assert facts["num_train_tokens"] == len(train_N) == sum(facts["token_count_V"])
    assert facts["num_validation_tokens"] == len(validation_N)
    assert facts["token_count_V"] == np.bincount(train_N, minlength=facts["vocab_size"]).tolist()
    assert facts["vocab_size"] == len(facts["vocab"])
    assert facts["train_sha256"] == file_digest(tokens.train)
    assert facts["validation_sha256"] == file_digest(tokens.validation)
    assert facts["corpus_sha256"] == file_digest(corpus.manifest)
    assert facts["tokenizer_sha256"] == file_digest(tokens.tokenizer)
    assert train_N.dtype == validation_N.dtype == np.uint16


def test_each_document_is_there_with_its_end(tokenised):
    corpus, tokens, facts = tokenised()
    text = "".join(facts["vocab"][token_id] for token_id in np.load(tokens.train))
    assert text == "".join(f"{document}<eod>" for document in export.read(corpus.train))


@pytest.mark.parametrize("tokenizer", ["char", "bpe"])
def test_two_tokenisations_are_equal_byte_for_byte(tokenizer, export_text, tmp_path):
    corpus, first, second = (
        export_text(STORY),
        token_files(tmp_path / "1"),
        token_files(tmp_path / "2"),
    )
    for tokens in (first, second):
        tokenise(tokenizer, OPTIONS.get(tokenizer, {}), corpus, tokens, 16)
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_a_character_only_of_the_held_out_part_is_unknown(tokenised):
    corpus, tokens, facts = tokenised()
    known = set("".join(export.read(corpus.train)))
    held_out = "".join(export.read(corpus.validation))
    expected = sum(character not in known for character in held_out)
    assert expected > 0  # each document has a letter of its own
    assert facts["num_unknown_tokens"] == expected
    assert np.count_nonzero(np.load(tokens.validation) == facts["unknown"]) == expected
    assert facts["token_count_V"][facts["unknown"]] == 0


def test_bytes_are_those_of_the_text_and_one_for_each_end(tokenised):
    assert num_bytes(["aé", "😀"]) == (3 + 1) + (4 + 1)
    corpus, _, char_facts = tokenised()
    raw = json.loads(corpus.manifest.read_text())["validation"]
    assert char_facts["num_validation_bytes"] == raw["num_bytes"] + raw["num_documents"]


def test_a_byte_tokenizer_has_one_token_for_each_byte_scored(tokenised):
    _, _, facts = tokenised(tokenizer="byte")
    assert facts["num_validation_tokens"] == facts["num_validation_bytes"]


def test_a_trained_tokenizer_is_written_out_and_another_corpus_gives_another(tokenised):
    _, tokens, facts = tokenised(tokenizer="bpe", vocab_size=280)
    again = TokenizerFile([], path=str(tokens.tokenizer))
    assert again.vocabulary() == facts["vocab"]
    _, _, other = tokenised(STORY.replace("cat", "tapir"), tokenizer="bpe", vocab_size=280)
    assert other["tokenizer_sha256"] != facts["tokenizer_sha256"]


def test_bits_per_byte_of_the_same_text_have_the_same_bytes_whatever_the_tokenizer(tokenised):
    _, _, char = tokenised(tokenizer="char")
    _, _, bpe = tokenised(tokenizer="bpe", vocab_size=280)
    assert bpe["num_validation_bytes"] == char["num_validation_bytes"]
    assert bpe["num_validation_tokens"] < char["num_validation_tokens"]


def test_options_reach_the_tokenizer(tokenised):
    with pytest.raises(ValueError, match="does not occur in the training text"):
        tokenised(unknown="error")


def test_a_text_shorter_than_a_window_is_one_line_and_leaves_no_file(tokenised, tmp_path):
    with pytest.raises(
        CorpusError, match=r"held-out text: \d+ tokens .* 501 .*seq_len=500"
    ) as caught:
        tokenised(seq_len=500)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "tokens").exists()


def test_a_window_needs_its_tokens_and_the_target_of_the_last():
    check_windows(17, 16, "text")
    with pytest.raises(CorpusError, match="16 tokens"):
        check_windows(16, 16, "text")


def slow_prob(train, vocab_size, start, history, token):
    """Witten-Bell by counting in lists."""
    pairs = list(zip([start, *train[:-1]], train, strict=True))
    num_types = len(set(train))
    unigram = (train.count(token) + num_types / vocab_size) / (len(train) + num_types)
    followers = {later for earlier, later in pairs if earlier == history}
    if not followers:
        return unigram
    count = sum(earlier == history for earlier, _ in pairs)
    return (pairs.count((history, token)) + len(followers) * unigram) / (count + len(followers))


@pytest.fixture
def small():
    """A training and a held-out text of 11 token ids, of which training lacks the last three."""
    generator = np.random.default_rng(0)
    skewed = np.minimum(generator.geometric(0.3, 200), 8).astype(np.uint16) - 1
    return skewed, generator.integers(0, 11, 60).astype(np.uint16)


def test_bigram_equals_its_slow_definition_at_every_pair(small):
    train_N, _ = small
    model = bigram.fit(train_N, vocab_size=11, start=10)
    for history in range(11):
        for token in range(11):
            expected = slow_prob(train_N.tolist(), 11, 10, history, token)
            got = model.prob(np.array([history]), np.array([token]))
            assert got == pytest.approx(expected)


def test_bigram_probabilities_add_up_to_one_after_every_token(small):
    train_N, _ = small
    model = bigram.fit(train_N, vocab_size=11, start=0)
    for history in range(11):
        prob_V = model.prob(np.full(11, history), np.arange(11))
        assert (prob_V > 0).all()
        assert prob_V.sum() == pytest.approx(1)
    assert model.prob_V.sum() == pytest.approx(1)


def test_scores_are_means_over_all_held_out_tokens(small):
    train_N, validation_N = small
    scores = bigram.reference_scores(train_N, validation_N, vocab_size=11, start=10)
    train, validation = train_N.tolist(), validation_N.tolist()
    nll_nats = [
        -math.log(slow_prob(train, 11, 10, history, token))
        for history, token in zip([10, *validation[:-1]], validation, strict=True)
    ]
    assert scores["bigram_val_nll_nats"] == pytest.approx(np.mean(nll_nats))
    assert scores["bigram_val_ppl"] == pytest.approx(math.exp(np.mean(nll_nats)))
    unseen = -math.log((0 + 8 / 11) / (200 + 8))
    assert scores["unigram_val_nll_nats"] == pytest.approx(
        np.mean(
            [
                unseen if token > 7 else -math.log((train.count(token) + 8 / 11) / 208)
                for token in validation
            ]
        )
    )


def test_bigram_of_a_vocabulary_whose_square_fits_no_32_bits():
    train_N = np.array([69_999, 1, 69_999, 1], np.uint32)
    model = bigram.fit(train_N, vocab_size=70_000, start=0)
    expected = slow_prob(train_N.tolist(), 70_000, 0, 69_999, 1)
    assert model.prob(train_N[:1], train_N[1:2]) == pytest.approx(expected)


@pytest.mark.slow
@pytest.mark.skipif(not STORIES.is_file(), reason="needs shared/data/tinystories_val.txt")
def test_real_stories_split_by_paragraph_have_a_plausible_bigram_score(tmp_path):
    corpus, tokens = corpus_files(tmp_path / "corpus"), token_files(tmp_path / "tokens")
    export.export(CorpusSpec(source="text_file", path=str(STORIES)), corpus)
    tokenise("char", {}, corpus, tokens, 128)
    facts = json.loads(tokens.facts.read_text(encoding="utf-8"))
    manifest = json.loads(corpus.manifest.read_text())
    print(f"tinystories_val.txt: bigram perplexity {facts['bigram_val_ppl']:.2f} per character")
    assert manifest["validation"]["num_documents"] > 400
    assert 0.08 < manifest["validation"]["num_bytes"] / manifest["train"]["num_bytes"] < 0.14
    assert not set(export.read(corpus.train)) & set(export.read(corpus.validation))
    assert 8 < facts["bigram_val_ppl"] < 12
    assert facts["bigram_val_nll_nats"] < facts["unigram_val_nll_nats"] < math.log(82)
