"""From the text of a question to token ids, with the tokenizer of the base model.

Either the run's own, whose vocabulary comes from the training documents, or the ``tokenizer.json``
in the folder of a pretrained model.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tokenizers

from moebench import registry
from moebench.questions.question import QuestionError
from moebench.text import export
from moebench.tokenizers.base import Tokenizer


@dataclass(frozen=True, kw_only=True)
class Encoder:
    """A tokenizer, as far as questions need it."""

    name: str
    ids: Callable[[str], list[int]]  # of a text, without any special token
    end: int  # stands after an answer
    unknown: int | None  # stands for what the vocabulary lacks; None where it lacks nothing
    vocab_size: int

    def encode(self, text: str) -> list[int]:
        """Token ids of a text; QuestionError for a character that the tokenizer does not know."""
        found = self.ids(text)
        if self.unknown is not None and self.unknown in found:
            stranger = next(each for each in text if self.unknown in self.ids(each))
            raise QuestionError(
                f"character {stranger!r} (U+{ord(stranger):04X}) in {text[:40]!r} is not known to "
                f"tokenizer {self.name}; take tokenizer byte, or a corpus in which it occurs"
            )
        return found


def of_run(tokens: str | Path, documents: str | Path) -> Encoder:
    """The tokenizer of a tokenised corpus, from the facts about it and its training documents."""
    facts = json.loads(Path(tokens).read_text(encoding="utf-8"))
    tokenizer = registry.load(Tokenizer, facts["tokenizer"])(
        export.read(documents), **facts["tokenizer_options"]
    )
    assert tokenizer.vocabulary() == facts["vocab"], "these documents are of another corpus"
    return Encoder(
        name=facts["tokenizer"],
        ids=lambda text: [int(each) for each in tokenizer.encode(text)],
        end=tokenizer.end_of_document,
        unknown=tokenizer.unknown,
        vocab_size=tokenizer.vocab_size,
    )


def of_folder(folder: str | Path) -> Encoder:
    """The tokenizer of a pretrained model; QuestionError where its folder does not hold one."""
    files = {name: Path(folder) / name for name in ("tokenizer.json", "tokenizer_config.json")}
    for name, path in files.items():
        if not path.is_file():
            raise QuestionError(
                f"{folder}: holds no {name}; save the model's tokenizer there, for example with "
                "save_pretrained of transformers"
            )
    tokenizer = tokenizers.Tokenizer.from_file(str(files["tokenizer.json"]))
    tokenizer.no_truncation()
    config = json.loads(files["tokenizer_config.json"].read_text(encoding="utf-8"))
    end = _id_of(tokenizer, config.get("eos_token"))
    if end is None:
        raise QuestionError(
            f"{files['tokenizer_config.json']}: eos_token {config.get('eos_token')!r} is no entry "
            "of the vocabulary; name the token that ends a document"
        )
    return Encoder(
        name=str(files["tokenizer.json"]),
        ids=lambda text: list(tokenizer.encode(text, add_special_tokens=False).ids),
        end=end,
        unknown=_id_of(tokenizer, config.get("unk_token")),
        vocab_size=tokenizer.get_vocab_size(),
    )


def _id_of(tokenizer: tokenizers.Tokenizer, token: Any) -> int | None:
    """Id of a special token, which a file gives as text or as an object."""
    text = token["content"] if isinstance(token, Mapping) else token
    return None if text is None else tokenizer.token_to_id(text)
