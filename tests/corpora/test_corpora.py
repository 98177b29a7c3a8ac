"""What is particular to one source of text."""

import platform
import time
from pathlib import Path

import datasets
import pytest

from moebench.corpora import stdlib_docs, tinystories
from moebench.corpora.base import CorpusError, take
from moebench.corpora.stdlib_docs import StdlibDocs
from moebench.corpora.text_file import TextFile
from moebench.corpora.tinystories import Tinystories


@pytest.fixture(scope="module")
def stdlib():
    return list(StdlibDocs(max_bytes=200_000).documents())


def test_stdlib_docs_holds_each_topic_and_each_module_once(monkeypatch, tmp_path):
    copied = "A paragraph long enough to be no phrase, which the reference tells in two places. "
    (tmp_path / "bisect.py").write_text(f'"""Bisection.\n\n  {copied}"""')
    (tmp_path / "this.py").write_text("undocumented = True")
    monkeypatch.setattr(stdlib_docs.sysconfig, "get_path", lambda _: str(tmp_path))
    monkeypatch.setattr(stdlib_docs, "topics", {"if": "The if statement.", "for": copied})
    documents = list(StdlibDocs().documents())
    assert len(documents) in (2, 3)  # whichever of the copies comes first is kept
    assert "\n\n".join(documents).count(copied.strip()) == 1
    assert {"The if statement."} < set(documents)
    assert any(document.startswith("Bisection.") for document in documents)


def test_docstrings_come_in_source_order_without_running_the_module(tmp_path):
    path = tmp_path / "module.py"
    path.write_text(
        '"""Module."""\nclass A:\n    """A."""\n    async def f(self):\n        """f."""\n'
        'def g():\n    """g."""\n    "not a docstring"\nraise SystemExit\n'
    )
    assert stdlib_docs._docstrings(path) == "Module.\n\nA.\n\nf.\n\ng."


@pytest.mark.slow
def test_stdlib_docs_tells_no_paragraph_twice(stdlib):
    told = [" ".join(p.split()) for document in stdlib for p in document.split("\n\n")]
    long = [paragraph for paragraph in told if len(paragraph) >= 80]
    assert len(long) > 500
    assert len(long) == len(set(long))


@pytest.mark.slow
def test_stdlib_docs_of_a_smaller_size_is_the_beginning_of_a_larger(stdlib):
    smaller = list(StdlibDocs(max_bytes=50_000).documents())
    assert smaller == stdlib[: len(smaller)]
    assert sum(len(document.encode()) for document in smaller) <= 50_000


def test_stdlib_docs_reads_what_users_are_told_about_and_nothing_else(tmp_path):
    told = ["bisect.py", "json/decoder.py", "xml/dom/__init__.py"]
    other = ["site-packages/json.py", "test/test_json.py", "unittest/test/support.py"]
    other += ["idlelib/idle.py", "pydoc_data/topics.py", "config-3/python-config.py", "json/c.so"]
    for name in told + other:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    found = {path.relative_to(tmp_path).as_posix() for path in stdlib_docs._sources(tmp_path)}
    assert found == set(told)


def test_stdlib_docs_names_its_python():
    assert StdlibDocs().facts()["python_version"] == platform.python_version()


def test_stdlib_docs_without_sources_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr(stdlib_docs.sysconfig, "get_path", lambda _: str(tmp_path))
    assert_one_line(StdlibDocs().documents(), "no Python sources", str(tmp_path))


@pytest.mark.parametrize("limit", ["max_documents", "max_bytes"])
def test_a_limit_that_leaves_nothing_is_one_line(limit):
    limits = {"max_documents": 1, "max_bytes": 1} | {limit: 0}
    assert_one_line(take(["a"], **limits), f"{limit}=0", "1 or more")


def test_limits_count_documents_and_bytes():
    documents = ["aé", "bb", "c"]
    assert list(take(documents, 2, 100)) == ["aé", "bb"]
    assert list(take(documents, 9, 5)) == ["aé", "bb"]
    assert list(take(documents, 9, 4)) == ["aé"]


def test_text_file_divides_at_blank_lines_whatever_the_line_ends(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfone\r\ntwo\r\n\r\nthree\rfour\n")
    assert list(TextFile(path=str(path)).documents()) == ["one\ntwo", "three\nfour"]
    assert list(TextFile(path=str(path), separator="\f").documents()) == ["one\ntwo\n\nthree\nfour"]


def test_text_file_reads_a_folder_in_the_order_of_names(tmp_path):
    for name, text in (("b.txt", "second"), ("a.txt", "first"), ("c.md", "never")):
        (tmp_path / name).write_text(text)
    corpus = TextFile(path=str(tmp_path))
    assert list(corpus.documents()) == ["first", "second"]
    assert [Path(file).name for file in corpus.files()] == ["a.txt", "b.txt"]
    assert list(corpus.facts()["files"]) == ["a.txt", "b.txt"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"ab\xff\xfe", ["not UTF-8", "0xff at offset 2"]),
        (b"PNG\0\0", ["binary", "offset 3"]),
    ],
)
def test_a_file_that_is_no_text_is_one_line(tmp_path, content, words):
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    assert_one_line(TextFile(path=str(path)).documents(), str(path), *words)


def test_a_missing_path_is_one_line(tmp_path):
    path = str(tmp_path / "absent")
    assert_one_line(TextFile(path=path).documents(), path, "no file or folder")


def test_a_folder_without_text_is_one_line(tmp_path):
    assert_one_line(TextFile(path=str(tmp_path)).documents(), str(tmp_path), "no *.txt")


def test_an_empty_separator_is_one_line():
    with pytest.raises(CorpusError, match='separator=""'):
        TextFile(path="a.txt", separator="")


def test_tinystories_without_network_is_one_line_and_fast(monkeypatch):
    monkeypatch.setattr(tinystories.constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    before = time.perf_counter()
    assert_one_line(Tinystories().documents(), "http://127.0.0.1:9", "network", "text_file")
    assert time.perf_counter() - before < 5


def test_tinystories_in_offline_mode_says_so(monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    assert_one_line(Tinystories().documents(), "HF_HUB_OFFLINE")


def test_tinystories_that_breaks_off_is_an_error_and_no_short_corpus(monkeypatch):
    def stories():
        yield {"text": "one"}
        raise ConnectionError("server went away\nand more lines")

    monkeypatch.setattr(tinystories, "_reach_hub", lambda: None)
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: stories())
    assert_one_line(Tinystories().documents(), "server went away")


def test_tinystories_streams_the_pinned_revision_up_to_the_limit(monkeypatch):
    asked = {}

    def load_dataset(repository, **options):
        asked.update(options, repository=repository)
        return datasets.Dataset.from_list([{"text": f"story {n}"} for n in range(9)])

    monkeypatch.setattr(tinystories, "_reach_hub", lambda: None)
    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    corpus = Tinystories(split="validation", max_documents=3)
    assert list(corpus.documents()) == ["story 0", "story 1", "story 2"]
    assert asked["repository"] == "roneneldan/TinyStories"
    assert asked["revision"] == corpus.facts()["revision"]
    assert asked["split"] == "validation"
    assert asked["streaming"]


def assert_one_line(documents, *words):
    with pytest.raises(CorpusError) as caught:
        list(documents)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message
