"""What every tokenizer must keep to, found by itself, and what is particular to one."""

import json
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from conftest import STORY
from hypothesis import given, settings
from hypothesis import strategies as st

from moebench import registry
from moebench.tokenizers import hub
from moebench.tokenizers.base import Tokenizer
from moebench.tokenizers.bpe import Bpe
from moebench.tokenizers.byte import Byte
from moebench.tokenizers.char import Char
from moebench.tokenizers.tokenizer_file import TokenizerFile

NAMES = registry.names("tokenizers")
DOCUMENTS = STORY.split("\n\n")
GPT2 = Path(__file__).parents[3] / "shared/data/gpt2_bpe"


OFFLINE = [name for name in NAMES if name != "hub"]  # that one is tokenizer_file with a download


@cache
def trained_file():
    """A tokenizer.json as another project would have left it."""
    folder = tempfile.TemporaryDirectory()
    path = Path(folder.name) / "tokenizer.json"
    path.write_text(Bpe(DOCUMENTS, vocab_size=270).definition())
    return folder, path


def options(name):
    """Options that fit the small text; none for a tokenizer without a need of them."""
    if name == "tokenizer_file":
        return {"path": str(trained_file()[1])}
    return {"vocab_size": 290} if name == "bpe" else {}


def built(name, documents=tuple(DOCUMENTS)):
    return registry.load(Tokenizer, name)(documents, **options(name))


each_tokenizer = pytest.mark.parametrize("name", OFFLINE)


@each_tokenizer
@settings(deadline=None, max_examples=30)
@given(text=st.text(alphabet=sorted(set(STORY))))
def test_decoding_gives_the_text_back(name, text):
    tokenizer = built(name)
    assert tokenizer.decode(tokenizer.encode(text)) == text


@each_tokenizer
@settings(deadline=None, max_examples=30)
@given(text=st.text())
def test_any_text_becomes_ids_of_the_vocabulary_without_an_end_of_document(name, text):
    tokenizer = built(name)
    id_N = tokenizer.encode(text)
    assert id_N.dtype == tokenizer.dtype
    assert id_N.ndim == 1
    assert (id_N < tokenizer.vocab_size).all()
    assert tokenizer.end_of_document not in id_N


@each_tokenizer
def test_each_document_ends_once(name):
    tokenizer = built(name)
    id_N = tokenizer.encode_documents(["the cat", "", "dog"])
    assert np.count_nonzero(id_N == tokenizer.end_of_document) == 3
    assert id_N[-1] == tokenizer.end_of_document
    assert tokenizer.decode(id_N) == "the cat<eod><eod>dog<eod>"
    assert id_N.dtype == tokenizer.dtype
    assert len(tokenizer.encode_documents([])) == 0


@each_tokenizer
def test_the_vocabulary_names_each_id_once_and_fits_into_json(name):
    vocabulary = built(name).vocabulary()
    assert json.loads(json.dumps(vocabulary)) == vocabulary
    assert len(set(vocabulary)) == len(vocabulary) == built(name).vocab_size


@each_tokenizer
def test_the_order_of_training_documents_does_not_matter(name):
    reverse = built(name, DOCUMENTS[::-1])
    assert reverse.vocabulary() == built(name).vocabulary()
    assert reverse.definition() == built(name).definition()


@each_tokenizer
def test_the_definition_is_json_and_tells_tokenizers_apart(name):
    others = [built(other).definition() for other in OFFLINE if other != name]
    assert built(name).definition() not in others
    assert json.loads(built(name).definition())


def test_bpe_spells_frequent_words_with_one_token_and_has_as_many_entries_as_asked_for():
    tokenizer = Bpe(DOCUMENTS, vocab_size=290)
    assert tokenizer.vocab_size == 290
    assert tokenizer.end_of_document == 289
    assert len(tokenizer.encode(" the cat")) == 2
    assert len(tokenizer.encode("xyz")) == 3


def test_bpe_cuts_a_character_without_losing_it():
    tokenizer = Bpe(DOCUMENTS, vocab_size=257)
    id_N = tokenizer.encode("é")
    assert len(id_N) == 2
    assert tokenizer.decode(id_N) == "é"
    assert tokenizer.decode(id_N[:1]) == "\ufffd"


@pytest.mark.parametrize(
    ("vocab_size", "said"),
    [(256, "must be at least 257"), (50_000, "more than the training text gives, which is")],
)
def test_bpe_refuses_a_vocabulary_that_cannot_be(vocab_size, said):
    with pytest.raises(ValueError, match=said) as caught:
        Bpe(DOCUMENTS, vocab_size=vocab_size)
    assert f"vocab_size={vocab_size}" in str(caught.value)
    assert "\n" not in str(caught.value)


def lossy(folder, **parts):
    """A file whose tokenizer does not give every text back."""
    content = json.loads(trained_file()[1].read_text()) | parts
    (folder / "tokenizer.json").write_text(json.dumps(content))
    return TokenizerFile([], path=str(folder))


def test_a_file_that_does_not_fit_the_corpus_is_refused_in_one_line(tmp_path):
    tokenizer = lossy(tmp_path, normalizer={"type": "Lowercase"})
    assert tokenizer.decode(tokenizer.encode("the cat")) == "the cat"
    with pytest.raises(ValueError, match=r"does not fit the corpus: .*'Cat and dog'") as caught:
        tokenizer.encode("the Cat and dog")
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_with_an_end_of_document_of_its_own_is_refused(tmp_path):
    added = {"id": 269, "content": "<eod>", "single_word": False, "lstrip": False}
    added |= {"rstrip": False, "normalized": False, "special": True}
    with pytest.raises(ValueError, match="has an entry '<eod>' of its own"):
        lossy(tmp_path, added_tokens=[added])


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"model": 1}', "\xff"])
def test_a_file_that_is_no_tokenizer_is_refused_in_one_line(content, tmp_path):
    (tmp_path / "tokenizer.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(ValueError, match=r"is no tokenizer .*give the tokenizer.json") as caught:
        TokenizerFile([], path=str(tmp_path / "tokenizer.json"))
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_refused_before_anything_is_read(tmp_path):
    with pytest.raises(ValueError, match="no file .*nowhere"):
        TokenizerFile.files(path=str(tmp_path / "nowhere"))
    assert TokenizerFile.files(**options("tokenizer_file")) == [str(trained_file()[1])]


def test_a_hub_that_is_not_reached_is_one_line_that_names_the_way_out(monkeypatch):
    def nobody(name, file, revision):
        raise ConnectionError(f"no {name} at {revision}\nmore")

    monkeypatch.setattr(hub, "hf_hub_download", nobody)
    with pytest.raises(ValueError, match="a/b at main: cannot read .*tokenizer_file") as caught:
        hub.Hub([], name="a/b")
    assert "\n" not in str(caught.value)


def test_the_hub_gives_what_the_file_gives(monkeypatch):
    asked = []

    def download(name, file, revision):
        asked.append((name, file, revision))
        return trained_file()[1]

    monkeypatch.setattr(hub, "hf_hub_download", download)
    tokenizer = hub.Hub([], name="a/b", revision="c")
    assert asked == [("a/b", "tokenizer.json", "c")]
    assert tokenizer.vocabulary() == built("tokenizer_file").vocabulary()


@pytest.mark.skipif(not GPT2.is_dir(), reason="needs shared/data/gpt2_bpe")
def test_the_published_tokenizer_is_read_from_its_folder_and_loses_nothing():
    tokenizer = TokenizerFile(DOCUMENTS, path=str(GPT2))
    assert tokenizer.vocab_size == 50_257 + 1
    assert tokenizer.encode("Hello world").tolist() == [15496, 995]
    for text in (STORY, "a <|endoftext|> b", "  tabs\t and\n\n lines , n't", "日本語 😀 é"):
        id_N = tokenizer.encode(text)
        assert tokenizer.decode(id_N) == text
        assert 50_256 not in id_N


def test_char_knows_only_what_training_showed():
    tokenizer = Char(["abc"])
    assert tokenizer.vocabulary() == ["<eod>", "<unk>", "a", "b", "c"]
    assert tokenizer.encode("cdbé").tolist() == [4, 1, 3, 1]
    assert tokenizer.decode(tokenizer.encode("ad")) == "a<unk>"


def test_char_refuses_unknown_characters_in_one_line_where_told_to():
    tokenizer = Char(["abc"], unknown="error")
    assert tokenizer.vocabulary() == ["<eod>", "a", "b", "c"]
    assert tokenizer.encode("cab").tolist() == [3, 1, 2]
    with pytest.raises(ValueError, match=r"'é' \(U\+00E9\).*unknown: count") as caught:
        tokenizer.encode("aé")
    assert "\n" not in str(caught.value)


def test_ids_are_of_the_smaller_type_as_long_as_they_fit():
    characters = [chr(code) for code in range(0x20000) if not 0xD800 <= code < 0xE000]
    assert Char(["".join(characters[: 2**16 - 2])]).dtype == np.uint16
    larger = Char(["".join(characters[: 2**16 - 1])])
    assert larger.dtype == np.uint32
    assert larger.encode(characters[2**16 - 2]).tolist() == [2**16]


def test_byte_ids_are_the_bytes():
    tokenizer = Byte([])
    assert tokenizer.encode("aé").tolist() == [0x61, 0xC3, 0xA9]
    assert tokenizer.vocab_size == 257
    assert tokenizer.decode(np.array([0xC3], np.uint16)) == "\ufffd"
