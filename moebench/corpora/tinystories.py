"""TinyStories from the Hugging Face hub, at a pinned revision (arXiv:2305.07759)."""

import urllib.request
from collections.abc import Iterator
from typing import Any, Literal

import datasets
from huggingface_hub import constants
from tqdm import tqdm

from moebench.corpora.base import Corpus, CorpusError, take

_REPOSITORY = "roneneldan/TinyStories"
_REVISION = "f54c09fd23315a6f9c86f9dc80f725de7d8f9c64"  # 12 August 2024
_TIMEOUT_S = 10


class Tinystories(Corpus):
    """One document is one story; stories are streamed, in the hub's order, until a limit is met."""

    licence = "CDLA-Sharing-1.0"
    origin = f"https://huggingface.co/datasets/{_REPOSITORY}"
    needs_network = True

    def __init__(
        self,
        *,
        split: Literal["train", "validation"] = "train",
        max_documents: int = 25_000,
        max_bytes: int = 20_000_000,
    ):
        self.split = split
        self.max_documents = max_documents
        self.max_bytes = max_bytes

    def documents(self) -> Iterator[str]:
        """Stories from the hub; CorpusError where it cannot be reached."""
        try:
            _reach_hub()
            stories = datasets.load_dataset(
                _REPOSITORY, revision=_REVISION, split=self.split, streaming=True
            )
            texts = (story["text"] for story in stories)
            limited = take(texts, self.max_documents, self.max_bytes)
            yield from tqdm(limited, "tinystories", self.max_documents, unit=" documents")
        except OSError as error:
            raise CorpusError(
                f"tinystories: cannot read from {constants.ENDPOINT} ({_first_line(error)}); "
                "connect to the network, or take a local copy with source: text_file"
            ) from None

    def facts(self) -> dict[str, Any]:
        """Adds the pinned revision."""
        return super().facts() | {"revision": _REVISION}


def _reach_hub() -> None:
    """Ask the hub once: ``datasets`` by itself retries for half a minute before it gives up."""
    if datasets.config.HF_HUB_OFFLINE:
        raise ConnectionError("HF_HUB_OFFLINE is set")
    address = f"{constants.ENDPOINT}/api/datasets/{_REPOSITORY}/revision/{_REVISION}"
    with urllib.request.urlopen(address, timeout=_TIMEOUT_S):
        pass


def _first_line(error: OSError) -> str:
    return str(error).partition("\n")[0]
