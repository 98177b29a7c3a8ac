"""The interface of a source of questions."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, Literal

from moebench.questions.question import Question

Part = Literal["train", "held_out"]


class Source(ABC):
    """A source of questions, in an order that is always the same.

    Options that config may set are keyword-only parameters of the constructor.
    """

    licence: str  # SPDX identifier
    origin: str  # where a reader finds the questions

    @abstractmethod
    def questions(self) -> Iterator[tuple[Question, Part | None]]:
        """Every question, with the part it belongs to where the source itself divides them.

        Raises QuestionError where the questions cannot be had, or one is not well formed.
        """

    def facts(self) -> dict[str, Any]:
        """What the manifest says of the source; nothing that differs between equal questions."""
        return {"licence": self.licence, "origin": self.origin}

    def files(self) -> list[str]:
        """Files of the user that are read, so that a change of them is noticed."""
        return []
