"""One token for each character that occurs in the training text."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from moebench.tokenizers.base import END_OF_DOCUMENT, UNKNOWN, TokenIds, Tokenizer


class Char(Tokenizer):
    """Characters in the order of their code points, after the entries that stand for none.

    A character that training never saw becomes ``<unk>`` and is counted, or is refused.
    """

    end_of_document = 0

    def __init__(self, documents: Sequence[str], *, unknown: Literal["count", "error"] = "count"):
        self.unknown = 1 if unknown == "count" else None
        self.special = [END_OF_DOCUMENT, UNKNOWN][: 2 if unknown == "count" else 1]
        characters: set[str] = set()
        for document in documents:
            characters.update(document)
        self.characters = sorted(characters)
        self.code_V = _code_points("".join(self.characters))

    def encode(self, text: str) -> TokenIds:
        """One id a character; ValueError for an unknown one where those are refused."""
        code_N = _code_points(text)
        place_N = np.searchsorted(self.code_V, code_N)
        is_known_N = np.isin(code_N, self.code_V)
        id_N = place_N + len(self.special)
        if self.unknown is None and not is_known_N.all():
            stranger = chr(code_N[~is_known_N][0])
            raise ValueError(
                f"character {stranger!r} (U+{ord(stranger):04X}) does not occur in the training "
                "text; count such characters with unknown: count, or take the byte tokenizer"
            )
        return np.where(is_known_N, id_N, self.unknown or 0).astype(self.dtype)

    def decode(self, id_N: TokenIds) -> str:
        """The characters; the other entries by their name."""
        vocabulary = self.vocabulary()
        return "".join(vocabulary[token_id] for token_id in id_N.tolist())

    def vocabulary(self) -> list[str]:
        """Each character as it is."""
        return self.special + self.characters


def _code_points(text: str) -> NDArray[np.uint32]:
    raw: NDArray[Any] = np.frombuffer(text.encode("utf-32-le"), dtype="<u4")
    return raw.astype(np.uint32)
