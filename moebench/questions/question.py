"""What one question is.

A question follows the four fields of the commonsense_170k files (arXiv:2304.01933): an instruction,
which ends in the line ``Answer format: a/b/c``, an input, which may be empty, the output that a
model is to write, and within it the answer, one of the options a, b, c.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

FIELDS = ("instruction", "input", "output", "answer")
FORMAT = re.compile(r"Answer format: *(\S.*\S) *$")


class QuestionError(ValueError):
    """The questions cannot be had, or one of them cannot be asked."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """One question with its right answer and the options it is chosen from."""

    instruction: str
    input: str
    output: str
    answer: str

    @classmethod
    def read(cls, record: Any, where: str) -> "Question":
        """Check one record of a file; QuestionError says where and what is wrong with it."""
        if not isinstance(record, Mapping):
            raise QuestionError(f"{where} is no object with the fields {', '.join(FIELDS)}")
        for field in FIELDS:
            if field not in record:
                raise QuestionError(
                    f"{where} has no field {field!r}; every record needs {', '.join(FIELDS)}"
                )
            if not isinstance(record[field], str):
                raise QuestionError(f"{where}: {field} is {record[field]!r}, and must be text")
        question = cls(**{field: record[field].strip() for field in FIELDS})
        question.check(where)
        return question

    def check(self, where: str) -> None:
        """Refuse a question whose answer cannot be scored against options."""
        if len(set(self.options)) < 2:
            raise QuestionError(
                f"{where}: the instruction ends in {self.instruction[-40:]!r}, not in a line "
                "'Answer format: a/b' with two or more different options to score"
            )
        if self.answer not in self.options:
            raise QuestionError(
                f"{where}: answer {self.answer!r} is none of the options {', '.join(self.options)}"
            )
        if self.answer not in self.output:
            raise QuestionError(
                f"{where}: output {self.output!r} does not contain the answer {self.answer!r}"
            )

    @property
    def options(self) -> tuple[str, ...]:
        """What the answer is chosen from; empty where the instruction does not say."""
        found = FORMAT.search(self.instruction)
        return tuple(found[1].split("/")) if found else ()

    @property
    def outputs(self) -> tuple[str, ...]:
        """What may follow the prompt: the output as it would read with each of the options."""
        before, _, after = self.output.rpartition(self.answer)
        return tuple(f" {before}{option}{after}" for option in self.options)

    @property
    def prompt(self) -> str:
        """What stands before the output: instruction and input, on lines of their own."""
        return "\n".join(["Question:", self.instruction, *filter(None, [self.input]), "Answer:"])

    @property
    def key(self) -> tuple[str, str]:
        """What makes two questions one: neither options, nor letter case, nor white space count."""
        return _plain(FORMAT.sub("", self.instruction)), _plain(self.input)

    def record(self) -> dict[str, str]:
        """The four fields, as a file holds them."""
        return asdict(self)


def _plain(text: str) -> str:
    return " ".join(text.lower().split())
