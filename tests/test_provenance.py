"""Digests: of code as far as it can change a result, of files, of values."""

import hashlib
import shutil

import pytest

from moebench import provenance

ENTRY = '''"""What it does."""

from moebench import below


def run(x):
    """Return more."""
    return below.more(x)  # a comment
'''
BELOW = "def more(x):\n    return x + 1\n"


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A tiny package of ours: an entry point, a module it imports, a plug-in that nothing does."""
    folder = tmp_path / "moebench"
    (folder / "plugins").mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "plugins" / "__init__.py").write_text("")
    (folder / "plugins" / "mine.py").write_text("SIZE = 1\n")
    (folder / "entry.py").write_text(ENTRY)
    (folder / "below.py").write_text(BELOW)
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    return folder


def digest(*modules):
    """Digest of the code as it is now, not as it was when it was first read."""
    for cached in (provenance.code_digest, provenance._source, provenance._read):
        cached.cache_clear()
    return provenance.code_digest(*modules)


def change(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  # a comment", "  # another, longer one"),
        ('"""What it does."""', '"""Something else."""'),
        ('    """Return more."""\n', ""),
        ("below.more(x)", "below.more( x )"),
        ("\n\n\ndef", "\n\n\n\n\ndef"),
    ],
    ids=["comment", "docstring of module", "docstring of function", "spaces", "empty lines"],
)
def test_text_that_is_not_code_leaves_the_digest(package, old, new):
    before = digest("moebench.entry")
    change(package / "entry.py", old, new)
    assert digest("moebench.entry") == before


@pytest.mark.parametrize(
    ("file", "old", "new"), [("entry.py", "more(x)", "more(2 * x)"), ("below.py", "+ 1", "+ 2")]
)
def test_a_change_of_code_changes_the_digest_also_of_what_imports_it(package, file, old, new):
    before = digest("moebench.entry")
    change(package / file, old, new)
    assert digest("moebench.entry") != before


def test_a_new_import_is_followed(package):
    change(package / "below.py", "def", "from moebench.plugins import mine\n\n\ndef")
    before = digest("moebench.entry")
    change(package / "plugins" / "mine.py", "1", "2")
    assert digest("moebench.entry") != before


def test_a_plug_in_counts_exactly_where_it_is_named(package):
    alone = digest("moebench.entry")
    named = digest("moebench.entry", "moebench.plugins.mine")
    change(package / "plugins" / "mine.py", "1", "2")
    assert digest("moebench.entry") == alone
    assert digest("moebench.entry", "moebench.plugins.mine") != named


def test_what_is_kept_of_a_file_is_what_parsing_it_gives(package):
    parsed = digest("moebench.entry")
    assert len(list((package.parent / provenance.KEPT).iterdir())) == 3
    assert digest("moebench.entry") == parsed


@pytest.mark.parametrize("remains", ["", '{"imports": []', "[]"], ids=["none", "half", "other"])
def test_what_was_not_kept_whole_is_parsed_again(package, remains):
    parsed = digest("moebench.entry")
    for kept in (package.parent / provenance.KEPT).iterdir():
        kept.write_text(remains)
    assert digest("moebench.entry") == parsed


def test_a_package_that_may_not_be_written_to_is_read_all_the_same(package):
    parsed = digest("moebench.entry")
    shutil.rmtree(package.parent / provenance.KEPT)
    (package.parent / provenance.KEPT).write_text("a file where a folder should be")
    assert digest("moebench.entry") == parsed


def test_the_order_in_which_modules_are_named_does_not_matter(package):
    names = ["moebench.entry", "moebench.plugins.mine"]
    assert digest(*names) == digest(*reversed(names))


def test_modules_that_import_each_other_end(package):
    change(package / "below.py", "def", "from moebench import entry\n\n\ndef")
    assert digest("moebench.entry") == digest("moebench.below")


def test_a_file_digest_is_sha256_of_its_bytes(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"\x00\xff" * 100_000)
    assert provenance.file_digest(path) == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_json_digest_does_not_depend_on_the_order_of_keys():
    assert provenance.json_digest({"a": 1, "b": 2}) == provenance.json_digest({"b": 2, "a": 1})
    assert provenance.json_digest({"a": 1}) != provenance.json_digest({"a": 2})


def test_without_git_the_commit_is_unknown(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert provenance.commit() == "unknown"


def test_the_environment_is_told_as_text():
    facts = provenance.environment(["numpy"])
    assert {"commit", "python", "numpy", "platform", "processor", "cores"} == set(facts)
    assert all(isinstance(value, str) and value for value in facts.values())
