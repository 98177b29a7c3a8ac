"""One token for each byte of UTF-8: nothing is unknown, whatever the language."""

from collections.abc import Sequence

import numpy as np

from moebench.tokenizers.base import END_OF_DOCUMENT, TokenIds, Tokenizer

_NUM_BYTES = 256


class Byte(Tokenizer):
    """The 256 bytes under their own value, then the end of document."""

    end_of_document = _NUM_BYTES
    unknown = None

    def __init__(self, documents: Sequence[str]):
        """The vocabulary is fixed; the documents do not shape it."""

    def encode(self, text: str) -> TokenIds:
        """One id a byte."""
        return np.frombuffer(text.encode(), dtype=np.uint8).astype(self.dtype)

    def decode(self, id_N: TokenIds) -> str:
        """The text; a character that was cut in two shows as U+FFFD."""
        pieces = [bytes([value]) for value in range(_NUM_BYTES)] + [END_OF_DOCUMENT.encode()]
        return b"".join(pieces[token_id] for token_id in id_N.tolist()).decode(errors="replace")

    def vocabulary(self) -> list[str]:
        """Each byte in hexadecimal, so that none looks like another."""
        return [f"<0x{value:02X}>" for value in range(_NUM_BYTES)] + [END_OF_DOCUMENT]
