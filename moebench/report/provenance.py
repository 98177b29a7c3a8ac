"""Where every figure comes from: figure, tables, rows, weights, tokens, text, with their hashes.

Read from the sidecars of the figures, which repeat the whole chain, and from nothing else.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from moebench import provenance, sidecar
from moebench.report import rst

SHOWN = 12  # digits of a hash; python -m moebench.trace compares all of them
RAW = "came with the repository or from the user"

# A column of the overview: its name, and the endings of the files that belong there.
LEVELS: dict[str, tuple[str, ...]] = {
    "tables": (".csv",),
    "rows": ("rows.jsonl",),
    "weights": ("weights.pt", ".safetensors"),
    "traces": (".npz",),
    "tokens": (".npy", "tokens.json"),
    "text": ("train.jsonl", "validation.jsonl", "held_out.jsonl", "manifest.json"),
}
PUBLISHED = "published"


def page(figures: Sequence[Path]) -> list[str]:
    """Parts of the page; ``figures`` are the sidecars of the figures."""
    contents = {path: sidecar.read_figure(path) for path in sorted(figures)}
    files: dict[Path, tuple[str, str, str]] = {}
    for path, content in contents.items():
        files |= _files(path.parent, content["chain"])
    header = ["figure", *LEVELS, PUBLISHED]
    overview = [_overview(path, content["chain"]) for path, content in contents.items()]
    listed = [[os.path.relpath(path), *facts] for path, facts in sorted(files.items())]
    return [
        rst.heading("Where every figure comes from", 1),
        "From left to right, the way back from a figure to the text. A cell gives the number of "
        "files, where there are several, and the first digits of their sha256, or of a digest "
        "over all of theirs. ``python -m moebench.trace FIGURE`` lists them one by one and checks "
        "that they are what they were.\n",
        rst.table(header, overview),
        rst.heading("Every file on the way", 1),
        rst.table(["file", "sha256", "written by", "code"], listed),
    ]


def level(name: str) -> str | None:
    """The column that a file belongs to; None for one that is in none, as a figure is."""
    if f"/{PUBLISHED}/" in name:
        return PUBLISHED
    return next((key for key, endings in LEVELS.items() if name.endswith(endings)), None)


def _overview(path: Path, chain: Sequence[sidecar.Record]) -> list[str]:
    """One figure: its hash, and for each level the hash of what stands there."""
    svg = path.with_suffix(".svg").name
    found: dict[str, dict[str, str]] = {key: {} for key in (*LEVELS, PUBLISHED)}
    for job in chain:
        for name, digest in job["inputs"].items():
            key = level(name)
            if key is not None:
                found[key][name] = digest
    first = f"{path.stem} {chain[0]['outputs'][svg][:SHOWN]}"
    return [first, *(_digest(found[key]) for key in (*LEVELS, PUBLISHED))]


def _digest(found: Mapping[str, str]) -> str:
    if not found:
        return "none"
    if len(found) == 1:
        return next(iter(found.values()))[:SHOWN]
    return f"{len(found)}: {provenance.json_digest(sorted(found.values()))[:SHOWN]}"


def _files(folder: Path, chain: Iterable[Mapping[str, Any]]) -> dict[Path, tuple[str, str, str]]:
    """Every file of a chain: its sha256, the rule that wrote it, and the digest of its code."""
    jobs = list(chain)
    found = {
        (folder / name).resolve(): (digest, RAW, "")
        for job in jobs
        for name, digest in job["inputs"].items()
    }
    for job in jobs:
        code = job["params"].get("code", {}).get("digest", "")
        for name, digest in job["outputs"].items():
            found[(folder / name).resolve()] = (digest, job["rule"], code)
    return found
