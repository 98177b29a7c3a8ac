"""Sends what a rule's script prints to the rule's log and to the terminal."""

import contextlib
import sys
import traceback
from collections.abc import Iterator
from typing import TextIO


@contextlib.contextmanager
def log_to(path: str) -> Iterator[None]:
    """Copy stdout and stderr to a log; a mistake of the user ends in one line, not in a traceback."""
    terminal = sys.stderr
    with open(path, "w", encoding="utf-8", buffering=1) as log:
        both = _Lines(log, terminal)
        with contextlib.redirect_stdout(both), contextlib.redirect_stderr(both):
            try:
                yield
            except ValueError as error:
                traceback.print_exc(file=log)
                terminal.write(f"error: {error}\n")
                sys.exit(1)
            except BaseException:
                traceback.print_exc(file=log)
                raise


class _Lines:
    """Writes to several files; the carriage returns of a progress bar become ends of lines."""

    def __init__(self, *files: TextIO):
        self.files = files

    def write(self, text: str) -> int:
        for file in self.files:
            file.write(text.replace("\r", "\n").removeprefix("\n") if "\r" in text else text)
        return len(text)

    def flush(self) -> None:
        for file in self.files:
            file.flush()
