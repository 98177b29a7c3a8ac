"""The files of published numbers are the ones that were taken over: their sha256, in one place.

``SHA256SUMS`` lies beside them, in the form that the program sha256sum writes and checks.
"""

from collections.abc import Iterable
from pathlib import Path

from moebench import provenance

SUMS = "SHA256SUMS"


def digests(path: str | Path) -> dict[str, str]:
    """Sha256 of each file, by its name."""
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    return {name: digest for digest, name in (line.split(maxsplit=1) for line in lines)}


def check(sums: str | Path, files: Iterable[str | Path]) -> None:
    """Refuse a file whose digest is not the one on record; ValueError names it."""
    known = digests(sums)
    for file in map(Path, files):
        if known.get(file.name) != provenance.file_digest(file):
            raise ValueError(
                f"{file} is not the file whose sha256 stands in {SUMS}; restore it, or, if the "
                f"change is meant, write its new one there with sha256sum"
            )
