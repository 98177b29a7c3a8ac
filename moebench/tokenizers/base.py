"""The tokenizer interface: from text to token ids, with a vocabulary of the training text only.

Shapes, here and in every tokenizer: N tokens, V entries of the vocabulary.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

TokenIds = NDArray[np.unsignedinteger[Any]]

END_OF_DOCUMENT = "<eod>"
UNKNOWN = "<unk>"


class Tokenizer(ABC):
    """Token ids 0..V-1 for any text.

    The constructor is given the training documents, and nothing else may shape the vocabulary.
    Options that config may set are keyword-only parameters of the constructor.
    """

    end_of_document: int  # the id that ends each document, and stands before the first
    unknown: int | None  # the id of what the vocabulary lacks; None where it lacks nothing

    @abstractmethod
    def __init__(self, documents: Sequence[str]):
        pass

    @abstractmethod
    def encode(self, text: str) -> TokenIds:
        """Token ids of a text, of type ``dtype``, without an end of document."""

    @abstractmethod
    def decode(self, id_N: TokenIds) -> str:
        """Text of token ids; the entries that stand for no text appear by their name."""

    @abstractmethod
    def vocabulary(self) -> list[str]:
        """A readable name of each token id, in order."""

    def definition(self) -> str:
        """All that the tokenizer learnt or read, as the text of a JSON file."""
        return json.dumps({"vocab": self.vocabulary()}, indent=1, ensure_ascii=False)

    @classmethod
    def files(cls, **options: Any) -> list[str]:
        """Files of the user that are read with these options, so that a change is noticed."""
        return []

    @property
    def vocab_size(self) -> int:
        """Number of token ids."""
        return len(self.vocabulary())

    @property
    def dtype(self) -> type[np.unsignedinteger[Any]]:
        """The smallest of the two types that a file of token ids may have."""
        return np.uint16 if self.vocab_size <= 2**16 else np.uint32

    def encode_documents(self, documents: Sequence[str]) -> TokenIds:
        """Token ids of documents in a row, each with its end of document."""
        end = np.array([self.end_of_document], self.dtype)
        parts = [part for document in documents for part in (self.encode(document), end)]
        return np.concatenate([*parts, np.array([], self.dtype)])
