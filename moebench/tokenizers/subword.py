"""What tokenizers of the ``tokenizers`` library have in common: they must give every text back."""

import json
from pathlib import Path

import numpy as np
import tokenizers

from moebench.tokenizers.base import END_OF_DOCUMENT, TokenIds, Tokenizer

_SHOWN = 20  # characters of a text that is not given back


class Subword(Tokenizer):
    """The entries of a tokenizer of the library, then our own end of document.

    Nothing is unknown: a text that decoding would not give back is refused, because its scores
    would be those of another text.
    """

    unknown = None

    def __init__(self, inner: tokenizers.Tokenizer, where: str):
        """``where`` the tokenizer comes from, for messages."""
        self.where = where
        self.inner = inner
        # A text that spells the name of a special entry is a text like any other.
        self.inner.encode_special_tokens = True
        self.inner.no_padding()
        self.inner.no_truncation()
        entries = inner.get_vocab(with_added_tokens=True)
        if END_OF_DOCUMENT in entries:
            raise ValueError(
                f"{where} has an entry {END_OF_DOCUMENT!r} of its own, which is the name of the "
                "end of a document here; take a tokenizer without it"
            )
        self.entries = [f"<unused {number}>" for number in range(max(entries.values()) + 1)]
        for text, token_id in entries.items():
            self.entries[token_id] = text
        self.end_of_document = len(self.entries)

    def encode(self, text: str) -> TokenIds:
        """Ids of the pieces of a text; ValueError where they would not give the text back."""
        ids = self.inner.encode(text, add_special_tokens=False).ids
        given_back = self.inner.decode(ids, skip_special_tokens=False)
        if given_back != text:
            place = len(_common_start(text, given_back))
            raise ValueError(
                f"{self.where} does not fit the corpus: it does not give back "
                f"{text[place : place + _SHOWN]!r}; take a byte-level tokenizer, such as bpe"
            )
        return np.array(ids, dtype=self.dtype)

    def decode(self, id_N: TokenIds) -> str:
        """The text; a character that was cut in two shows as U+FFFD."""
        pieces: list[list[int]] = [[]]
        for token_id in id_N.tolist():
            if token_id == self.end_of_document:
                pieces.append([])
            else:
                pieces[-1].append(token_id)
        return END_OF_DOCUMENT.join(
            self.inner.decode(piece, skip_special_tokens=False) for piece in pieces
        )

    def vocabulary(self) -> list[str]:
        """Each entry as the library names it: of bytes, those that do not print as others."""
        return [*self.entries, END_OF_DOCUMENT]

    def definition(self) -> str:
        """The tokenizer's file, as the library reads it."""
        return self.inner.to_str(pretty=True)


def read(path: str | Path, where: str) -> tokenizers.Tokenizer:
    """Read a tokenizer's file; ValueError where it is none."""
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError):
        content = None
    if not isinstance(content, dict) or not {"model", "pre_tokenizer"} <= set(content):
        raise ValueError(
            f"{where} is no tokenizer of the tokenizers library; give the tokenizer.json of a model"
        )
    return tokenizers.Tokenizer.from_file(str(path))


def _common_start(one: str, other: str) -> str:
    """The longest text with which both begin."""
    pairs = zip(one, other, strict=False)
    differing = (place for place, (a, b) in enumerate(pairs) if a != b)
    return one[: next(differing, min(len(one), len(other)))]
