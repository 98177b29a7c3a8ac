"""Sidecars: what a job read, what it wrote and which code it ran, by sha256, in a small JSON file.

A sidecar lies in the folder of the files it describes and its name ends in ``.prov.json``; paths in
it are relative to that folder, so a results folder can be moved. It holds no date, host or commit:
equal inputs give an equal sidecar. Following the inputs from sidecar to sidecar leads from any
product to the raw text; ``python -m moebench.trace`` does so.
"""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from moebench import provenance, records

SUFFIX = ".prov.json"
SELF = "sha256"  # of the rest of a figure's sidecar
Record = dict[str, Any]  # rule, inputs, outputs, params


def code(*modules: str) -> dict[str, Any]:
    """The modules a job depends on and their digest: ``params["code"]`` of a rule."""
    return {"modules": sorted(modules), "digest": provenance.code_digest(*modules)}


def write(
    path: str | Path,
    *,
    rule: str,
    inputs: Iterable[str | Path],
    outputs: Iterable[str | Path],
    params: Mapping[str, Any],
) -> None:
    """Describe a finished job, beside what it wrote.

    ``params`` holds whatever decided the outcome besides the inputs: the spec, and under ``code``
    what the function ``code`` returned.
    """
    assert Path(path).name.endswith(SUFFIX), f"{path}: a sidecar's name ends in {SUFFIX}"
    text = _text(record(Path(path).parent, rule, inputs, outputs, params))
    records.write_text(text, path)


def record(
    folder: Path,
    rule: str,
    inputs: Iterable[str | Path],
    outputs: Iterable[str | Path],
    params: Mapping[str, Any],
) -> Record:
    """Account of one job, with paths relative to ``folder``."""
    return {
        "rule": rule,
        "inputs": _digests(folder, inputs),
        "outputs": _digests(folder, outputs),
        "params": dict(params),
    }


def write_figure(path: str | Path, facts: Mapping[str, Any], job: Record) -> None:
    """Describe a figure: what it shows, the job that drew it, and every job on the way there.

    Nothing lists a figure's sidecar among its outputs, so it holds a digest of itself.
    """
    folder = Path(path).parent
    behind = ancestors([folder / name for name in job["inputs"]], folder)
    content = {**facts, "chain": [job, *behind.values()]}
    records.write_text(_text({**content, SELF: provenance.json_digest(content)}), path)


def read_figure(path: Path) -> dict[str, Any]:
    """Read a figure's sidecar; ValueError where it is not as ``write_figure`` left it."""
    content = _read(path)
    given = content.pop(SELF, None)
    if given is None or given != provenance.json_digest(content):
        raise ValueError(f"{path}: not as it was written; draw the figure again")
    return content


def ancestors(files: Sequence[Path], folder: Path) -> dict[Path, Record]:
    """Sidecars of the jobs that ``files`` come from, nearest first, and what they say.

    Paths in what they say are relative to ``folder``.
    """
    found: dict[Path, Record] = {}
    shelves: dict[Path, dict[str, Path]] = {}  # by folder: file name, its sidecar
    waiting = list(files)
    while waiting:
        file = waiting.pop(0).resolve()
        if file.parent not in shelves:
            shelves[file.parent] = _shelf(file.parent)
        sidecar = shelves[file.parent].get(file.name)
        if sidecar is not None and sidecar not in found:
            found[sidecar] = read(sidecar)
            waiting += [sidecar.parent / name for name in found[sidecar]["inputs"]]
    return {sidecar: moved(job, sidecar.parent, folder) for sidecar, job in found.items()}


def beside(file: Path) -> Path | None:
    """The sidecar that describes ``file``; None for a file that no job wrote."""
    return _shelf(file.resolve().parent).get(file.name)


def _shelf(folder: Path) -> dict[str, Path]:
    """Which sidecar of a folder describes which of its files."""
    found: dict[str, Path] = {}
    for sidecar in sorted(folder.glob(f"*{SUFFIX}")):
        for name in read(sidecar)["outputs"]:
            found.setdefault(name, sidecar)
    return found


def read(path: Path) -> Record:
    """Read one sidecar; ValueError where the file is not one."""
    content = _read(path)
    if not {"rule", "inputs", "outputs", "params"} <= set(content):
        raise ValueError(f"{path}: not a sidecar; run the job that wrote it again")
    return content


def _read(path: Path) -> dict[str, Any]:
    """Content of a sidecar of either kind, which has one way only to be written down."""
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{path}: not a sidecar ({error}); run the job that wrote it again"
        ) from None
    if not isinstance(content, dict) or text != _text(content):
        raise ValueError(f"{path}: not as it was written; run the job that wrote it again")
    return content


def _digests(folder: Path, files: Iterable[str | Path]) -> dict[str, str]:
    return {_relative(Path(file), folder): provenance.file_digest(file) for file in files}


def moved(job: Record, old: Path, new: Path) -> Record:
    """The same account, as seen from another folder."""
    moved = dict(job)
    for key in ("inputs", "outputs"):
        moved[key] = {_relative(old / name, new): digest for name, digest in job[key].items()}
    return moved


def _relative(file: Path, folder: Path) -> str:
    return Path(os.path.relpath(file.resolve(), folder.resolve())).as_posix()


def _text(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
