"""A tokenizer.json of your own, or a folder that holds one, as every Hugging Face model has it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from moebench.tokenizers.subword import Subword, read

NAME = "tokenizer.json"


class TokenizerFile(Subword):
    """The entries of the file; the documents do not shape it, but must come back from it."""

    def __init__(self, documents: Sequence[str], *, path: str):
        where = f"tokenizer_file: {path}"
        super().__init__(read(self.files(path=path)[0], where), where)

    @classmethod
    def files(cls, **options: Any) -> list[str]:
        """The file; ValueError where there is none."""
        path = Path(options["path"])
        file = path / NAME if path.is_dir() else path
        if not file.is_file():
            raise ValueError(f"tokenizer_file: no file {file}; correct the path")
        return [str(file)]
