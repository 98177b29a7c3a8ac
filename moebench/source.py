"""What a Python file of ours holds: the modules it imports, and its code without any words.

To parse the whole package takes two seconds, which a plan that finds nothing to do would spend as
well. So what was read is kept, under the digest of the file's bytes.
"""

import ast
import hashlib
import json
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_READER = hashlib.sha256(sys.version.encode() + Path(__file__).read_bytes())


class Source(NamedTuple):
    """A parsed file."""

    imports: list[str]  # names of modules, and of what is taken from them
    code: str  # digest of the syntax tree, without comments, docstrings and formatting


def read(path: Path, kept: Path) -> Source:
    """Parse a file, or take what a folder keeps about the same bytes."""
    content = path.read_bytes()
    key = _READER.copy()
    key.update(content)
    known = kept / key.hexdigest()
    with suppress(OSError, ValueError, TypeError):  # not kept yet, or cut off
        return Source(**json.loads(known.read_bytes()))
    source = _parse(ast.parse(content), path)
    with suppress(OSError):  # a package that may not be written to is read without
        kept.mkdir(exist_ok=True)
        partial = known.with_suffix(f".{os.getpid()}")
        partial.write_text(json.dumps(source._asdict()))
        partial.replace(known)
    return source


def _parse(tree: ast.Module, path: Path) -> Source:
    imports = []
    for node in (tree, *_statements(tree)):
        if isinstance(node, ast.Import):
            imports += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative imports are not followed"
            imports += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False):
            node.body = node.body[1:]
    return Source(imports, hashlib.sha256(ast.dump(tree).encode()).hexdigest())


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """Every statement below a node; expressions, which are most of a tree, are left out."""
    for block in ("body", "orelse", "handlers", "finalbody", "cases"):
        for statement in getattr(node, block, ()):
            yield statement
            yield from _statements(statement)
