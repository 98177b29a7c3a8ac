"""Byte-pair encoding, trained on the training text: frequent pieces of words are one token."""

from collections.abc import Sequence

import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

from moebench.tokenizers.subword import Subword

_NUM_BYTES = 256
_FEWEST = 2  # a pair that occurs once in the training text makes no entry


class Bpe(Subword):
    """The 256 bytes, then merged pairs from frequent to rare (arXiv:1508.07909, over bytes).

    Whatever the text, it comes back byte for byte. ``vocab_size`` counts all entries, the end of
    document among them.
    """

    def __init__(self, documents: Sequence[str], *, vocab_size: int = 512):
        smallest = _NUM_BYTES + 1
        if vocab_size < smallest:
            raise ValueError(
                f"bpe: vocab_size={vocab_size} must be at least {smallest}: every byte and the end "
                "of a document"
            )
        super().__init__(_trained(documents, vocab_size - 1), "bpe")
        if self.vocab_size < vocab_size:
            raise ValueError(
                f"bpe: vocab_size={vocab_size} is more than the training text gives, which is "
                f"{self.vocab_size}; lower it, or give more text"
            )


def _trained(documents: Sequence[str], num_entries: int) -> tokenizers.Tokenizer:
    """A byte-level tokenizer of at most so many entries."""
    inner = tokenizers.Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=num_entries,
        min_frequency=_FEWEST,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    inner.train_from_iterator(documents, trainer, length=len(documents))
    return inner
