"""Python's own reference topics and standard-library docstrings: English that needs no download."""

import ast
import hashlib
import platform
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

from moebench.corpora.base import Corpus, CorpusError, take

# Programs and tests that ship with the library, and the topics, which are taken from ``topics``.
_LEFT_OUT = {"idlelib", "lib2to3", "pydoc_data", "test", "tests", "turtledemo"}

# The reference tells much twice (``if`` stands in ``compound`` again). A repeat of this many
# characters is a copied text and would put training text into the held-out part; a shorter one,
# such as "For example:", is only a phrase.
_COPY_LEN = 80


class StdlibDocs(Corpus):
    """One document is one reference topic, or all docstrings of one module in source order.

    Modules are parsed and never imported. Documents come in the order of a hash of their name, so
    that ``max_bytes`` takes a fair choice of topics and modules, much the same in every Python.
    """

    licence = "PSF-2.0"
    origin = "https://docs.python.org"

    def __init__(self, *, max_bytes: int = 2_000_000):
        self.max_bytes = max_bytes

    def documents(self) -> Iterator[str]:
        """Topics and docstrings; a paragraph that was told before is left out."""
        unique = _tell_once(_texts())
        return take(filter(None, unique), max_documents=sys.maxsize, max_bytes=self.max_bytes)

    def facts(self) -> dict[str, Any]:
        """Adds the Python version, which decides the text."""
        return super().facts() | {"python_version": platform.python_version()}


def _texts() -> Iterator[str]:
    """Topics and docstrings of modules, in the order of a hash of the name."""
    library = Path(sysconfig.get_path("stdlib"))
    modules = {path.relative_to(library).as_posix(): path for path in _sources(library)}
    if not modules:
        raise CorpusError(
            f"stdlib_docs: no Python sources in {library}; "
            "run a Python whose standard library is installed as .py files"
        )
    found: dict[str, str | Path] = {**{f"topic {name}": topics[name] for name in topics}, **modules}
    for name in sorted(found, key=lambda name: hashlib.sha256(name.encode()).digest()):
        text = found[name]
        yield text if isinstance(text, str) else _docstrings(text)


def _sources(library: Path) -> Iterator[Path]:
    """Every module that users are told about, whatever else is installed in the same folder."""
    for name in sys.stdlib_module_names - _LEFT_OUT:
        for path in (library / f"{name}.py", *(library / name).rglob("*.py")):
            if path.is_file() and not _LEFT_OUT.intersection(path.relative_to(library).parts):
                yield path


def _docstrings(path: Path) -> str:
    """Docstrings of a module, its classes and functions, in the order in which they stand."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [
        node for node in ast.walk(ast.parse(path.read_bytes())) if isinstance(node, documented)
    ]
    nodes.sort(key=lambda node: 0 if isinstance(node, ast.Module) else node.lineno)
    return "\n\n".join(filter(None, map(ast.get_docstring, nodes)))


def _tell_once(texts: Iterable[str]) -> Iterator[str]:
    """Texts without the paragraphs that occurred before, however they were indented."""
    told: set[str] = set()
    for text in texts:
        kept = []
        for paragraph in text.split("\n\n"):
            words = " ".join(paragraph.split())
            if len(words) < _COPY_LEN or words not in told:
                kept.append(paragraph)
            told.add(words)
        yield "\n\n".join(kept).strip()
