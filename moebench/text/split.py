"""The split into training and held-out text: by document, before anything is tokenised."""

import hashlib
import itertools
from collections.abc import Iterable, Iterator
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

    Documents are ranked by length and cut into strata of ``1 / validation_fraction``; of each, the
    one with the smallest seeded hash is held out. So the share of the documents is also about the
    share of the text, though a few documents hold much of it, and both parts hold long and short
    ones alike. The hash depends neither on the order of the source nor on a random generator's
    version.
    """
    # The longest first: an incomplete stratum then is one of short documents.
    ranked = sorted(documents, key=lambda document: (-len(document), _digest(seed, document)))
    held_out = {
        min(stratum, key=lambda document: _digest(seed, document))
        for stratum in _strata(ranked, validation_fraction)
    }
    train = [document for document in documents if document not in held_out]
    if not train or not held_out:
        raise CorpusError(
            f"{len(documents)} documents cannot be split into training and held-out text with "
            f"validation_fraction={validation_fraction}; give more text, a smaller fraction, or "
            "another separator"
        )
    return train, [document for document in documents if document in held_out]


def _strata(ranked: list[str], fraction: float) -> Iterator[list[str]]:
    """Neighbours in the ranking, so many that one of them is the given fraction."""
    numbered = enumerate(ranked)
    for _, stratum in itertools.groupby(numbered, key=lambda pair: int(pair[0] * fraction)):
        yield [document for _, document in stratum]


def _digest(seed: int, document: str) -> bytes:
    return hashlib.sha256(f"{seed}\n{document}".encode()).digest()
