"""A data set of the Hugging Face hub with the four fields, such as commonsense_170k."""

import json
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any

import datasets
from huggingface_hub import constants
from tqdm import tqdm

from moebench.questions.question import Question, QuestionError
from moebench.questions.sources.base import Part, Source

_TIMEOUT_S = 10


class Hub(Source):
    """Records in the order of the hub; the manifest names the commit they are of.

    A ``revision`` that is a branch may hold other questions tomorrow: take the commit from the
    manifest into the config to hold on to it.
    """

    licence = "see the data set's page"

    def __init__(
        self, *, name: str, revision: str = "main", split: str = "train", max_records: int = 200_000
    ):
        self.name = name
        self.revision = revision
        self.split = split
        self.max_records = max_records
        self.origin = f"https://huggingface.co/datasets/{name}"
        self.commit: str | None = None

    def questions(self) -> Iterator[tuple[Question, Part | None]]:
        """Records from the hub; QuestionError where it cannot be reached."""
        try:
            self.commit = _commit(self.name, self.revision)
            records = datasets.load_dataset(
                self.name, revision=self.commit, split=self.split, streaming=True
            )
            limited = records.take(self.max_records)
            for number, record in enumerate(tqdm(limited, self.name, unit=" records"), start=1):
                yield Question.read(record, f"hub: {self.name}, record {number}"), None
        except OSError as error:
            first_line = str(error).partition("\n")[0]
            raise QuestionError(
                f"hub: cannot read {self.name} from {constants.ENDPOINT} ({first_line}); connect "
                "to the network, or take a local copy with source: local"
            ) from None

    def facts(self) -> dict[str, Any]:
        """Adds the data set and the commit that was read."""
        return super().facts() | {"name": self.name, "split": self.split, "commit": self.commit}


def _commit(name: str, revision: str) -> str:
    """The commit behind a branch; asks once, where ``datasets`` would retry for half a minute."""
    if datasets.config.HF_HUB_OFFLINE:
        raise ConnectionError("HF_HUB_OFFLINE is set")
    place = f"{name}/revision/{urllib.parse.quote(revision, safe='')}"
    address = f"{constants.ENDPOINT}/api/datasets/{place}"
    with urllib.request.urlopen(address, timeout=_TIMEOUT_S) as answer:
        return str(json.load(answer)["sha"])
