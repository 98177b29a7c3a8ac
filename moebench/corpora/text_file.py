"""A UTF-8 text file of your own, or every ``*.txt`` in a folder."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from moebench.corpora.base import Corpus, CorpusError, normalise
from moebench.provenance import file_digest


class TextFile(Corpus):
    """One document is what stands between two separators: a paragraph, unless told otherwise.

    With a separator that does not occur, each file is one document.
    """

    origin = "a local file"

    def __init__(self, *, path: str, separator: str = "\n\n", licence: str = "not stated"):
        if not separator:
            raise CorpusError(
                'text_file: separator="" cannot divide a text; a blank line is "\\n\\n"'
            )
        self.path = Path(path)
        self.separator = separator
        self.licence = licence

    def documents(self) -> Iterator[str]:
        """Documents of the files in the order of their names."""
        for file in self.files():
            yield from _read(Path(file)).split(self.separator)

    def facts(self) -> dict[str, Any]:
        """Adds what the files held."""
        digests = {Path(file).name: file_digest(file) for file in self.files()}
        return super().facts() | {"files": digests}

    def files(self) -> list[str]:
        """The text files, sorted by name; CorpusError where there is none."""
        if self.path.is_file():
            return [str(self.path)]
        if not self.path.is_dir():
            raise CorpusError(f"text_file: no file or folder {self.path}; correct the path")
        files = sorted(map(str, self.path.glob("*.txt")))
        if not files:
            raise CorpusError(
                f"text_file: folder {self.path} holds no *.txt; add one, or name a file"
            )
        return files


def _read(path: Path) -> str:
    """Text of a file; CorpusError where it is not UTF-8 text."""
    raw = path.read_bytes()
    if b"\0" in raw:
        raise CorpusError(
            f"text_file: {path} is binary (zero byte at offset {raw.index(0)}); give a text file"
        )
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise CorpusError(
            f"text_file: {path} is not UTF-8 (byte 0x{raw[error.start]:02x} at offset "
            f"{error.start}); convert it, for example with iconv"
        ) from None
    if not text.strip():
        raise CorpusError(f"text_file: {path} is empty; give a file with text in it")
    return normalise(text.removeprefix("\ufeff"))
