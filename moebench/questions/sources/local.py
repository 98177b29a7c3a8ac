"""A JSON file of your own, or a folder of them, each a list of records with the four fields."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from moebench.provenance import file_digest
from moebench.questions.question import Question, QuestionError
from moebench.questions.sources.base import Part, Source


class Local(Source):
    """Files whose name fits ``pattern``; those that also fit ``held_out`` are held out as a whole.

    Without ``held_out`` the questions are divided by ``held_out_fraction``.
    """

    origin = "local files"

    def __init__(
        self,
        *,
        path: str,
        pattern: str = "*.json",
        held_out: str = "",
        licence: str = "not stated",
    ):
        self.path = Path(path)
        self.pattern = pattern
        self.held_out = held_out
        self.licence = licence

    def questions(self) -> Iterator[tuple[Question, Part | None]]:
        """Records of the files in the order of their names."""
        for file in map(Path, self.files()):
            part = self._part(file)
            for number, record in enumerate(_read(file), start=1):
                yield Question.read(record, f"local: {file}, record {number}"), part

    def facts(self) -> dict[str, Any]:
        """Adds what the files held."""
        digests = {Path(file).name: file_digest(file) for file in self.files()}
        return super().facts() | {"files": digests}

    def files(self) -> list[str]:
        """The files, sorted by name; QuestionError where there is none, or none of a part."""
        if self.path.is_file():
            return [str(self.path)]
        if not self.path.is_dir():
            raise QuestionError(f"local: no file or folder {self.path}; correct the path")
        files = sorted(self.path.glob(self.pattern))
        if not files:
            raise QuestionError(
                f"local: folder {self.path} holds no {self.pattern}; add one, or name a file"
            )
        parts = {self._part(file) for file in files}
        if self.held_out and len(parts) < 2:
            which = "every" if "held_out" in parts else "no"
            raise QuestionError(
                f"local: {which} {self.pattern} in {self.path} fits held_out={self.held_out!r}; "
                "correct it, or leave it out to hold out a fraction"
            )
        return list(map(str, files))

    def _part(self, file: Path) -> Part | None:
        if not self.held_out:
            return None
        return "held_out" if file.match(self.held_out) else "train"


def _read(path: Path) -> list[Any]:
    """Records of a file; QuestionError where it holds none."""
    try:
        records = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise QuestionError(f"local: {path} is not JSON ({error}); correct the file") from None
    if not isinstance(records, list) or not records:
        raise QuestionError(f"local: {path} is not a list of one or more records; correct the file")
    return records
