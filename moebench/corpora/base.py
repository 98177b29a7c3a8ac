"""The corpus interface: where documents come from, and under which licence."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any


class CorpusError(ValueError):
    """The text cannot be had, or is no text to train on."""


class Corpus(ABC):
    """A source of documents, in an order that is always the same.

    Options that config may set are keyword-only parameters of the constructor.
    """

    licence: str  # SPDX identifier
    origin: str  # where a reader finds the text
    needs_network: bool = False

    @abstractmethod
    def documents(self) -> Iterator[str]:
        """Every document; CorpusError where the text cannot be had."""

    def facts(self) -> dict[str, Any]:
        """What the manifest says of the source; nothing that differs between two equal texts."""
        return {"licence": self.licence, "origin": self.origin}

    def files(self) -> list[str]:
        """Files of the user that the text is read from, so that a change of them is noticed."""
        return []


def normalise(text: str) -> str:
    """Text with ``\\n`` as its only line end, and without white space around it."""
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def take(documents: Iterable[str], max_documents: int, max_bytes: int) -> Iterator[str]:
    """The first documents, up to the last before a limit would be passed."""
    for name, limit in (("max_documents", max_documents), ("max_bytes", max_bytes)):
        if limit < 1:
            raise CorpusError(f"{name}={limit} leaves no text; set it to 1 or more")
    num_bytes = 0
    for number, document in enumerate(documents, start=1):
        num_bytes += len(document.encode())
        if number > max_documents or num_bytes > max_bytes:
            return
        yield document
