"""Training and held-out questions: no question twice, and none in both."""

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass

from moebench.questions.question import Question, QuestionError
from moebench.questions.sources.base import Part


@dataclass(frozen=True, kw_only=True)
class Divided:
    """Both parts, each in the order of a seeded hash, and how many questions were left out.

    In that order any first few are a random sample, the same whatever order the source had.
    """

    train: list[Question]
    held_out: list[Question]
    num_duplicates_dropped: int


def divide(
    questions: Iterable[tuple[Question, Part | None]], held_out_fraction: float, seed: int
) -> Divided:
    """Keep each question once, and divide those that the source has not divided itself.

    A question that the source has in both parts is held out, and not trained on. Raises
    QuestionError where a part would be empty.
    """
    found: dict[tuple[str, str], tuple[Question, Part | None]] = {}
    num_read = 0
    for question, part in questions:
        num_read += 1
        if question.key not in found or part == "held_out" != found[question.key][1]:
            found[question.key] = (question, part)
    ranked = sorted(found.values(), key=lambda pair: _digest(seed, pair[0]))
    free = [question for question, part in ranked if part is None]
    num_held_out = math.ceil(held_out_fraction * len(free))
    train = [question for question, part in ranked if part == "train"] + free[num_held_out:]
    held_out = [question for question, part in ranked if part == "held_out"] + free[:num_held_out]
    for part_name, part_questions in (("train on", train), ("hold out", held_out)):
        if not part_questions:
            raise QuestionError(
                f"{len(found)} different questions leave none to {part_name} with "
                f"held_out_fraction={held_out_fraction}; give more questions, or another fraction"
            )
    return Divided(
        train=train, held_out=held_out, num_duplicates_dropped=num_read - len(train) - len(held_out)
    )


def _digest(seed: int, question: Question) -> bytes:
    return hashlib.sha256("\n".join([str(seed), *question.key]).encode()).digest()
