"""The split by document, and the files it is written to."""

import json

import pytest
from conftest import STORY
from hypothesis import given, settings
from hypothesis import strategies as st

from moebench.corpora.base import CorpusError
from moebench.provenance import file_digest
from moebench.text import export
from moebench.text.split import distinct, split


def test_no_document_is_in_both_parts_and_none_is_lost(export_text):
    files = export_text(STORY)
    train, validation = export.read(files.train), export.read(files.validation)
    assert not set(train) & set(validation)
    assert sorted(train + validation) == sorted(STORY.split("\n\n"))
    assert len(validation) == 4


@settings(deadline=None, max_examples=50)
@given(
    documents=st.lists(st.text(min_size=1), min_size=2, max_size=60, unique=True),
    fraction=st.floats(0.01, 0.5),
    seed=st.integers(),
)
def test_a_split_keeps_order_and_share_and_ignores_the_order_of_the_source(
    documents, fraction, seed
):
    train, validation = split(documents, fraction, seed)
    assert sorted(train + validation) == sorted(documents)
    assert train == [document for document in documents if document in set(train)]
    assert abs(len(validation) - fraction * len(documents)) < 1 + 1e-9
    assert set(split(documents[::-1], fraction, seed)[1]) == set(validation)


def test_the_share_of_the_text_is_right_though_few_documents_hold_most_of_it():
    documents = [f"{number} " * int(30_000 / (number + 1)) for number in range(400)]
    total = sum(map(len, documents))
    for seed in range(20):
        train, validation = split(documents, 0.1, seed)
        assert len(validation) == 40
        assert 0.04 < sum(map(len, validation)) / total < 0.26
        assert max(map(len, validation)) >= len(documents[9])


def test_duplicates_and_empty_documents_are_dropped_and_counted(export_text):
    files = export_text("a\n\nb\n\na\n\n\n\n\n\nc \n\nc\n\nd")
    manifest = json.loads(files.manifest.read_text())
    assert sorted(export.read(files.train) + export.read(files.validation)) == ["a", "b", "c", "d"]
    assert manifest["num_duplicates_dropped"] == 2
    assert manifest["num_empty_dropped"] == 2


def test_documents_that_differ_only_in_line_ends_are_duplicates():
    assert distinct(["a\r\nb", "a\nb\n", "a\rb"]) == (["a\nb"], 0, 2)


def test_the_manifest_describes_the_files(export_text):
    files = export_text(STORY, licence="CC0-1.0")
    manifest = json.loads(files.manifest.read_text())
    for part in ("train", "validation"):
        documents = export.read(getattr(files, part))
        assert manifest[part] == {
            "num_documents": len(documents),
            "num_bytes": sum(len(document.encode()) for document in documents),
            "num_characters": sum(len(document) for document in documents),
            "sha256": file_digest(getattr(files, part)),
        }
    assert manifest["source"] == "text_file"
    assert manifest["options"]["separator"] == "\n\n"  # a default is on record too
    assert manifest["facts"]["licence"] == "CC0-1.0"
    assert manifest["split_seed"] == 0
    assert manifest["validation_fraction"] == 0.1


def test_any_character_survives_the_files(export_text):
    strange = 'line\u2028separator \x85 next\x1cline \x0c \\ " é 😀 tab\t'
    files = export_text("\n\n".join([strange, *"abc"]))
    assert strange.strip() in export.read(files.train) + export.read(files.validation)


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "is empty"), ("\n\n\n", "is empty"), ("one document", "cannot be split")],
)
def test_a_text_that_cannot_be_split_is_one_line_and_leaves_no_file(
    export_text, tmp_path, text, said
):
    with pytest.raises(CorpusError, match=said) as caught:
        export_text(text)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "corpus").exists()
