"""Where a result came from: digests of code and files, versions, commit, machine."""

import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from moebench import source

ROOT = Path(__file__).parent.parent
PACKAGE = Path(__file__).parent.name
KEPT = ".source_cache"  # what is known of files by their content, below ROOT


@cache  # as are the two below: a plan asks for the same code once per job
def code_digest(*modules: str) -> str:
    """Digest of the named modules and of all of ours that they import, directly or not.

    Formatting, comments and docstrings do not count: only a change of code changes the digest.
    Plug-ins are loaded by name, so an import never leads to them: name the ones that are used.
    """
    digest = hashlib.sha256()
    for module in sorted(_closure(modules)):
        digest.update(module.encode() + _read(_source(module))[1])
    return digest.hexdigest()[:16]


def file_digest(path: str | Path) -> str:
    """Sha256 of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def json_digest(value: Any) -> str:
    """Sha256 of a JSON value, independent of the order of keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def commit() -> str:
    """Commit of the source, with ``+`` where the tree differs from it; ``unknown`` without git."""
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
    except (FileNotFoundError, subprocess.CalledProcessError):
        return "unknown"
    return described.stdout.strip()


def environment(packages: Iterable[str]) -> dict[str, str]:
    """Facts about this machine and the installed packages, for the report's table."""
    return {
        "commit": commit(),
        "python": platform.python_version(),
        **{name: version(name) for name in packages},
        "platform": platform.platform(),
        "processor": processor(),
        "cores": str(len(os.sched_getaffinity(0))),
    }


def _closure(modules: Iterable[str]) -> set[str]:
    found: set[str] = set()
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            waiting += _read(_source(module))[0]
    return found


@cache
def _source(module: str) -> Path:
    path = ROOT / module.replace(".", "/")
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    assert path.is_file(), f"no module {module}"
    return path


@cache
def _read(path: Path) -> tuple[tuple[str, ...], bytes]:
    """Modules of ours that a file imports, and the digest of its code without docstrings."""
    found = source.read(path, ROOT / KEPT)
    ours = (name for name in found.imports if name.split(".")[0] == PACKAGE)
    return tuple(name for name in ours if exists(name)), found.code.encode()


def exists(module: str) -> bool:
    """Whether a module of ours exists as a file."""
    path = ROOT / module.replace(".", "/")
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def processor() -> str:
    """Model name of the processor, as Linux gives it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"
