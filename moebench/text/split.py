"""The split into training and held-out text: by document, before anything is tokenised."""

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

from moebench.corpora.base import CorpusError, normalise


class Distinct(NamedTuple):
    """Documents that differ from each other, and how many were left out for it."""

    documents: list[str]
    num_empty_dropped: int
    num_duplicates_dropped: int


def distinct(documents: Iterable[str]) -> Distinct:
    """Normalise documents, and keep each that is not empty the first time it occurs."""
    normal = [normalise(document) for document in documents]
    filled = [document for document in normal if document]
    unique = list(dict.fromkeys(filled))
    return Distinct(unique, len(normal) - len(filled), len(filled) - len(unique))


def split(
    documents: list[str], validation_fraction: float, seed: int
) -> tuple[list[str], list[str]]:
    """Training and held-out documents, each in the order in which they came.

    Documents are ranked by a seeded hash of their text, and held out in that order until the share
    of the text's bytes is reached. A share of the documents would be another share of the text
    wherever their lengths differ much. The hash depends neither on the order of the source nor on
    the version of a random generator.
    """
    ranked = sorted(documents, key=lambda document: _digest(seed, document))
    wanted = validation_fraction * sum(len(document.encode()) for document in documents)
    held_out: set[str] = set()
    num_bytes = 0
    for document in ranked:
        if num_bytes >= wanted:
            break
        held_out.add(document)
        num_bytes += len(document.encode())
    train = [document for document in documents if document not in held_out]
    if not train or not held_out:
        raise CorpusError(
            f"{len(documents)} documents cannot be split into training and held-out text with "
            f"validation_fraction={validation_fraction}; give more text, a smaller fraction, or "
            "another separator"
        )
    return train, [document for document in documents if document in held_out]


def _digest(seed: int, document: str) -> bytes:
    return hashlib.sha256(f"{seed}\n{document}".encode()).digest()
