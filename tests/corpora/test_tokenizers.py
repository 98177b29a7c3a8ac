"""What every tokenizer must keep to, found by itself, and what is particular to one."""

import json

import numpy as np
import pytest
from conftest import STORY
from hypothesis import given, settings
from hypothesis import strategies as st

from moebench import registry
from moebench.tokenizers.base import Tokenizer
from moebench.tokenizers.byte import Byte
from moebench.tokenizers.char import Char

NAMES = registry.names("tokenizers")
DOCUMENTS = STORY.split("\n\n")


def built(name):
    return registry.load(Tokenizer, name)(DOCUMENTS)


each_tokenizer = pytest.mark.parametrize("name", NAMES)


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
    reverse = registry.load(Tokenizer, name)(DOCUMENTS[::-1])
    assert reverse.vocabulary() == built(name).vocabulary()


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
