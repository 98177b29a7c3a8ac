"""What every source of text must keep to. New sources are found by themselves."""

import json
import subprocess
import sys

import pytest
from conftest import corpus_files

from moebench import registry
from moebench.corpora.base import Corpus
from moebench.spec import CorpusSpec
from moebench.text import export

SOURCES = registry.names("corpora")
OFFLINE = [name for name in SOURCES if not registry.load(Corpus, name).needs_network]


@pytest.fixture
def spec(request, story_path):
    """The source with a small text, wherever its options allow one."""
    fields = registry.options("corpora", request.param).model_fields
    given = {"path": str(story_path), "max_bytes": 60_000}
    return CorpusSpec(source=request.param, **{k: v for k, v in given.items() if k in fields})


each_offline_source = pytest.mark.parametrize("spec", OFFLINE, indirect=True)


def test_a_source_without_network_is_there_to_be_tested():
    assert {"stdlib_docs", "text_file"} <= set(OFFLINE)


@pytest.mark.slow
@each_offline_source
def test_documents_are_text_and_always_the_same(spec):
    corpus = export.load(spec)
    documents = list(corpus.documents())
    assert len(documents) > 10
    assert all(isinstance(document, str) for document in documents)
    assert list(corpus.documents()) == documents == list(export.load(spec).documents())


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_says_what_it_is_in_one_line(name):
    assert registry.summary("corpora", name).endswith(".")


@each_offline_source
def test_facts_name_licence_and_origin(spec):
    facts = json.loads(json.dumps(export.load(spec).facts()))
    assert facts["licence"]
    assert facts["origin"]


@pytest.mark.slow
@each_offline_source
def test_two_exports_are_equal_byte_for_byte(spec, tmp_path):
    first, second = corpus_files(tmp_path / "first"), corpus_files(tmp_path / "second")
    export.export(spec, first)
    export.export(spec, second)
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()


@pytest.mark.slow
@each_offline_source
def test_another_split_seed_is_another_split(spec, tmp_path):
    first, second = corpus_files(tmp_path / "first"), corpus_files(tmp_path / "second")
    export.export(spec, first)
    export.export(spec.model_copy(update={"split_seed": 1}), second)
    assert set(export.read(first.validation)) != set(export.read(second.validation))


@pytest.mark.slow
def test_texts_are_read_and_tokenised_without_torch():
    modules = [f"moebench.corpora.{name}" for name in SOURCES]
    modules += [f"moebench.tokenizers.{name}" for name in registry.names("tokenizers")]
    modules += ["moebench.text.tokenise"]
    code = f"import sys, {', '.join(modules)}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
