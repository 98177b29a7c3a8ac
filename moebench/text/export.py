"""Rule ``export_corpus``: the documents of a source as two files of JSON lines, and a manifest."""

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

from moebench import records, registry
from moebench.corpora.base import Corpus
from moebench.spec import CorpusSpec
from moebench.text.split import distinct, split


class CorpusFiles(NamedTuple):
    """Where an exported corpus lies."""

    train: str | Path
    validation: str | Path
    manifest: str | Path


def export(spec: CorpusSpec, files: CorpusFiles) -> None:
    """Read a source, split it by document and write both parts, the manifest last.

    Raises CorpusError, and writes nothing, where the source gives no text to train on.
    """
    corpus = load(spec)
    documents, num_empty, num_duplicates = distinct(corpus.documents())
    train, validation = split(documents, spec.validation_fraction, spec.split_seed)
    manifest = {
        "source": spec.source,
        "options": registry.options("corpora", spec.source)(**spec.options).model_dump(),
        "facts": corpus.facts(),
        "split_seed": spec.split_seed,
        "validation_fraction": spec.validation_fraction,
        "num_empty_dropped": num_empty,
        "num_duplicates_dropped": num_duplicates,
        "train": _write(train, files.train),
        "validation": _write(validation, files.validation),
    }
    text = json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False)
    records.write_text(text + "\n", files.manifest)


def load(spec: CorpusSpec) -> Corpus:
    """The source that a spec names, with its options."""
    return registry.load(Corpus, spec.source)(**spec.options)


def read(path: str | Path) -> list[str]:
    """Documents of an exported file."""
    # Not splitlines(), which also splits at U+2028, and JSON leaves that as it is.
    with open(path, encoding="utf-8", newline="\n") as lines:
        return [json.loads(line) for line in lines]


def _write(documents: list[str], path: str | Path) -> dict[str, Any]:
    """Write documents, one JSON string a line, and return what the manifest says of them."""
    lines = "".join(json.dumps(document, ensure_ascii=False) + "\n" for document in documents)
    records.write_text(lines, path)
    return {
        "num_documents": len(documents),
        "num_bytes": sum(len(document.encode()) for document in documents),
        "num_characters": sum(map(len, documents)),
        "sha256": hashlib.sha256(lines.encode()).hexdigest(),
    }
