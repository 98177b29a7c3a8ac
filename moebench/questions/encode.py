"""Rule ``encode_questions``: both parts as token ids, the prompt apart from what may follow it."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from moebench import records
from moebench.provenance import file_digest
from moebench.questions import export
from moebench.questions.encoders import Encoder
from moebench.questions.export import QuestionFiles
from moebench.questions.question import Question, QuestionError


class EncodedFiles(NamedTuple):
    """Where encoded questions lie."""

    train: str | Path
    held_out: str | Path
    facts: str | Path


@dataclass(frozen=True, kw_only=True)
class EncodedQuestion:
    """Token ids of a prompt, and of each output that may follow it, with its end of document."""

    prompt: list[int]
    outputs: list[list[int]]
    right: int  # place of the right one among the outputs

    @property
    def longest(self) -> int:
        """Tokens of the prompt and its longest output."""
        return len(self.prompt) + max(map(len, self.outputs))


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Which questions are taken."""

    cutoff: int  # tokens of the longest question with an output
    num_eval: int | None  # held-out questions; None for all


def encode(questions: QuestionFiles, encoder: Encoder, limits: Limits, files: EncodedFiles) -> None:
    """Encode both parts, leave out what is too long and count it; the facts are written last.

    Of the held-out questions the first ``num_eval`` are kept, which are a random sample. Raises
    QuestionError, and writes nothing, for a character that the tokenizer does not know, and where
    a part would be empty.
    """
    train = _encoded(export.read(questions.train), encoder, with_options=False)
    held_out = _encoded(export.read(questions.held_out), encoder, with_options=True)
    kept_train = _short(train, limits.cutoff, "train on")
    kept_held_out = _short(held_out, limits.cutoff, "score")
    scored = kept_held_out[: limits.num_eval]
    _write(kept_train, files.train)
    _write(scored, files.held_out)
    facts = {
        "tokenizer": encoder.name,
        "vocab_size": encoder.vocab_size,
        "cutoff": limits.cutoff,
        "num_train_questions": len(kept_train),
        "num_train_too_long": len(train) - len(kept_train),
        "num_held_out_questions": len(held_out),
        "num_held_out_too_long": len(held_out) - len(kept_held_out),
        "num_scored_questions": len(scored),
        "chance_accuracy": sum(1 / len(each.outputs) for each in scored) / len(scored),
        "num_train_tokens": sum(each.longest for each in kept_train),
        "questions_sha256": file_digest(questions.manifest),
    }
    text = json.dumps(facts, indent=1, sort_keys=True, ensure_ascii=False)
    records.write_text(text + "\n", files.facts)


def read(path: str | Path) -> list[EncodedQuestion]:
    """Questions of an encoded file."""
    with open(path, encoding="utf-8") as lines:
        return [EncodedQuestion(**json.loads(line)) for line in lines]


def encode_question(
    question: Question, encoder: Encoder, with_options: bool = True
) -> EncodedQuestion:
    """Token ids of one question; without options only the right output follows."""
    right = question.options.index(question.answer)
    outputs = question.outputs if with_options else question.outputs[right : right + 1]
    return EncodedQuestion(
        prompt=encoder.encode(question.prompt),
        outputs=[[*encoder.encode(each), encoder.end] for each in outputs],
        right=right if with_options else 0,
    )


def _encoded(
    questions: Sequence[Question], encoder: Encoder, with_options: bool
) -> list[EncodedQuestion]:
    return [encode_question(each, encoder, with_options) for each in questions]


def _short(questions: list[EncodedQuestion], cutoff: int, purpose: str) -> list[EncodedQuestion]:
    """Those that fit; QuestionError where none does."""
    kept = [each for each in questions if each.longest <= cutoff]
    if not kept:
        shortest = min(each.longest for each in questions)
        raise QuestionError(
            f"no question to {purpose} is within cutoff={cutoff} tokens, the shortest has "
            f"{shortest}; raise finetuning.cutoff"
        )
    return kept


def _write(questions: list[EncodedQuestion], path: str | Path) -> None:
    lines: list[dict[str, Any]] = [asdict(each) for each in questions]
    records.write_text("".join(json.dumps(line) + "\n" for line in lines), path)
