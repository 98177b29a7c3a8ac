"""Rule ``export_questions``: both parts of a source as JSON lines, and a manifest."""

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

from moebench import records, registry
from moebench.questions.question import Question
from moebench.questions.sources.base import Source
from moebench.questions.split import divide
from moebench.spec.perft import QuestionsSpec


class QuestionFiles(NamedTuple):
    """Where exported questions lie."""

    train: str | Path
    held_out: str | Path
    manifest: str | Path


def export(spec: QuestionsSpec, files: QuestionFiles) -> None:
    """Read a source, divide it and write both parts, the manifest last.

    Raises QuestionError, and writes nothing, where the source gives no questions to learn from.
    """
    source = load(spec)
    divided = divide(source.questions(), spec.held_out_fraction, spec.split_seed)
    manifest = {
        "source": spec.source,
        "options": registry.options("questions.sources", spec.source)(**spec.options).model_dump(),
        "facts": source.facts(),
        "split_seed": spec.split_seed,
        "held_out_fraction": spec.held_out_fraction,
        "num_duplicates_dropped": divided.num_duplicates_dropped,
        "train": _write(divided.train, files.train),
        "held_out": _write(divided.held_out, files.held_out),
    }
    text = json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False)
    records.write_text(text + "\n", files.manifest)


def load(spec: QuestionsSpec) -> Source:
    """The source that a spec names, with its options."""
    return registry.load(Source, spec.source)(**spec.options)


def read(path: str | Path) -> list[Question]:
    """Questions of an exported file."""
    # Not splitlines(), which also splits at U+2028, and JSON leaves that as it is.
    with open(path, encoding="utf-8", newline="\n") as lines:
        return [Question(**json.loads(line)) for line in lines]


def _write(questions: list[Question], path: str | Path) -> dict[str, Any]:
    """Write questions, one JSON object a line, and return what the manifest says of them."""
    lines = "".join(json.dumps(each.record(), ensure_ascii=False) + "\n" for each in questions)
    records.write_text(lines, path)
    # An option taken at random is right so often: what an accuracy must be above.
    chance = sum(1 / len(each.options) for each in questions) / len(questions)
    return {
        "num_questions": len(questions),
        "chance_accuracy": chance,
        "sha256": hashlib.sha256(lines.encode()).hexdigest(),
    }
