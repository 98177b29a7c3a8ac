"""The tokens a model is trained and scored on, and the order in which it sees them.

Shapes: B sequences of S tokens.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

Batch = tuple[Tensor, Tensor]  # input and target token ids, both long and of shape (B, S)

_SHUFFLE_SEED = 0


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """A tokenised corpus, as ``tokenise_corpus`` wrote it."""

    DIGESTS: ClassVar = ("corpus_sha256", "tokenizer_sha256")  # where the tokens come from

    train_N: Tensor
    validation_N: Tensor
    vocab_size: int
    token_count_V: Tensor
    end_of_document: int
    num_validation_bytes: int
    bigram_val_nll_nats: float
    corpus_sha256: str
    tokenizer_sha256: str

    @classmethod
    def read(cls, train: str | Path, validation: str | Path, facts: str | Path) -> "Tokens":
        """Read the three files of a tokenised corpus.

        Raises ValueError for a token id that an embedding of ``vocab_size`` rows does not have.
        """
        known = json.loads(Path(facts).read_text(encoding="utf-8"))
        return cls(
            train_N=_read_ids(train, known["vocab_size"]),
            validation_N=_read_ids(validation, known["vocab_size"]),
            vocab_size=known["vocab_size"],
            token_count_V=torch.tensor(known["token_count_V"]),
            end_of_document=known["end_of_document"],
            num_validation_bytes=known["num_validation_bytes"],
            bigram_val_nll_nats=known["bigram_val_nll_nats"],
            corpus_sha256=known["corpus_sha256"],
            tokenizer_sha256=known["tokenizer_sha256"],
        )

    def digests(self) -> dict[str, Any]:
        """Digests of text and tokenizer, which every row repeats."""
        return {name: getattr(self, name) for name in self.DIGESTS}

    def training_batch(self, seed: int, step: int, batch_size: int, seq_len: int) -> Batch:
        """The batch of a step: windows at random offsets, the same for every arm of a seed.

        It depends on seed and step alone, so that a resumed run sees what it would have seen.
        """
        generator = torch.Generator().manual_seed(seed * 1_000_003 + step)
        last = len(self.train_N) - seq_len
        start_B = torch.randint(last, (batch_size,), generator=generator)
        window_BS = self.train_N[start_B[:, None] + torch.arange(seq_len + 1)]
        return window_BS[:, :-1], window_BS[:, 1:]

    def validation_batches(self, batch_size: int, seq_len: int) -> Iterator[Batch]:
        """Every held-out token once, as the target of exactly one of non-overlapping windows.

        Windows are shuffled, always alike, so that a batch holds unrelated text as in training;
        what is left over at the end of the text makes a last batch of one shorter window.
        """
        for place_BS in self.validation_places(batch_size, seq_len):
            yield self.validation_at(place_BS)

    def validation_places(self, batch_size: int, seq_len: int) -> Iterator[Tensor]:
        """Where in the held-out text the targets of each batch stand, of shape (B, S)."""
        place_N = torch.arange(len(self.validation_N))
        num_windows = len(place_N) // seq_len
        order_W = torch.randperm(
            num_windows, generator=torch.Generator().manual_seed(_SHUFFLE_SEED)
        )
        whole = num_windows * seq_len
        place_WS = place_N[:whole].view(num_windows, seq_len)
        for window_B in torch.split(order_W, batch_size):
            yield place_WS[window_B]
        if whole < len(place_N):
            yield place_N[None, whole:]

    def validation_at(self, place_BS: Tensor) -> Batch:
        """Inputs and targets at places of the held-out text."""
        before_BS = self.validation_N[place_BS - 1]  # the last token of all, where there is none
        input_BS = before_BS.masked_fill(place_BS == 0, self.end_of_document)
        return input_BS, self.validation_N[place_BS]

    @cached_property
    def document_N(self) -> Tensor:
        """Number of the document of each held-out token; its end belongs to it."""
        is_end_N = (self.validation_N == self.end_of_document).long()
        return is_end_N.cumsum(dim=0) - is_end_N


def _read_ids(path: str | Path, vocab_size: int) -> Tensor:
    id_N = torch.from_numpy(np.load(path).astype(np.int64))
    if len(id_N) and int(id_N.max()) >= vocab_size:
        raise ValueError(
            f"{path}: token id {int(id_N.max())} is larger than the embedding, which has "
            f"{vocab_size} entries; the tokenizer was changed, so run tokenise_corpus again"
        )
    return id_N
