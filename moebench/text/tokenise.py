"""Rule ``tokenise_corpus``: both parts of a corpus as token ids, and facts about them."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from moebench import records, registry
from moebench.corpora.base import CorpusError
from moebench.provenance import file_digest
from moebench.text import export
from moebench.text.bigram import reference_scores
from moebench.text.export import CorpusFiles
from moebench.tokenizers.base import TokenIds, Tokenizer


class TokenFiles(NamedTuple):
    """Where a tokenised corpus lies."""

    train: str | Path
    validation: str | Path
    facts: str | Path
    tokenizer: str | Path


def tokenise(
    tokenizer: str,
    options: Mapping[str, Any],
    corpus: CorpusFiles,
    tokens: TokenFiles,
    seq_len: int,
) -> None:
    """Tokenise both parts with a vocabulary of the training part; the facts are written last.

    Raises CorpusError, and writes nothing, where a part is shorter than a window of ``seq_len``.
    """
    train, validation = export.read(corpus.train), export.read(corpus.validation)
    encoder = registry.load(Tokenizer, tokenizer)(train, **options)
    train_N = encoder.encode_documents(train)
    validation_N = encoder.encode_documents(validation)
    check_windows(len(train_N), seq_len, "training text")
    check_windows(len(validation_N), seq_len, "held-out text")
    _write(train_N, tokens.train)
    _write(validation_N, tokens.validation)
    records.write_text(encoder.definition() + "\n", tokens.tokenizer)
    facts = {
        "tokenizer": tokenizer,
        "tokenizer_options": dict(options),
        **_vocabulary(encoder, train_N, validation_N),
        "num_train_tokens": len(train_N),
        "num_validation_tokens": len(validation_N),
        "num_validation_bytes": num_bytes(validation),
        **reference_scores(train_N, validation_N, encoder.vocab_size, encoder.end_of_document),
        "train_sha256": file_digest(tokens.train),
        "validation_sha256": file_digest(tokens.validation),
        "corpus_sha256": file_digest(corpus.manifest),
        "tokenizer_sha256": file_digest(tokens.tokenizer),
    }
    text = json.dumps(facts, indent=1, sort_keys=True, ensure_ascii=False)
    records.write_text(text + "\n", tokens.facts)


def check_windows(num_tokens: int, seq_len: int, what: str) -> None:
    """Refuse a text that does not fill one window and its last target."""
    if num_tokens < seq_len + 1:
        raise CorpusError(
            f"{what}: {num_tokens} tokens are fewer than the {seq_len + 1} that one window of "
            f"seq_len={seq_len} needs; give more text, or lower training.seq_len"
        )


def num_bytes(documents: list[str]) -> int:
    """Bytes that scored text stands for: its UTF-8, and one byte for the end of each document.

    The end is a token that is predicted like any other, so it must count as text as well. Then bits
    per byte = nats over all held-out tokens / ln 2 / these bytes, whatever the tokenizer.
    """
    return sum(len(document.encode()) + 1 for document in documents)


def _vocabulary(encoder: Tokenizer, train_N: TokenIds, validation_N: TokenIds) -> dict[str, Any]:
    """The vocabulary, and how much of either part falls on it."""
    is_unknown_N = np.isin(validation_N, [] if encoder.unknown is None else [encoder.unknown])
    return {
        "vocab": encoder.vocabulary(),
        "vocab_size": encoder.vocab_size,
        "end_of_document": encoder.end_of_document,
        "unknown": encoder.unknown,
        "num_unknown_tokens": int(np.count_nonzero(is_unknown_N)),
        "token_count_V": np.bincount(train_N, minlength=encoder.vocab_size).tolist(),
    }


def _write(id_N: TokenIds, path: str | Path) -> None:
    buffer = io.BytesIO()
    np.save(buffer, id_N)
    records.write_bytes(buffer.getvalue(), path)
