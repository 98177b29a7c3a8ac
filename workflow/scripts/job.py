"""What every rule's script does around its one call: a log, a clear error, a sidecar."""

import contextlib
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

# In an environment that conda made for a rule, the library is not installed.
sys.path.insert(0, str(Path(__file__).parents[2]))

from moebench import sidecar  # noqa: E402


@contextlib.contextmanager
def job(snakemake: Any) -> Iterator[None]:
    """Copy output to the rule's log, and describe what was written in the rule's sidecar.

    A mistake of the user ends in one line on the terminal; the traceback is in the log.
    """
    terminal = sys.stderr
    with open(snakemake.log[0], "w", encoding="utf-8", buffering=1) as log:
        both = _Lines(log, terminal)
        with contextlib.redirect_stdout(both), contextlib.redirect_stderr(both):
            try:
                yield
            except (ValueError, OSError) as error:
                traceback.print_exc(file=log)
                terminal.write(f"error: {error}\n")
                sys.exit(1)
            except BaseException:
                traceback.print_exc(file=log)
                raise
    if "sidecar" in snakemake.output.keys():
        described = snakemake.output.sidecar
        sidecar.write(
            described,
            rule=snakemake.rule,
            inputs=snakemake.input,
            outputs=[path for path in snakemake.output if path != described],
            params=dict(snakemake.params.items()),
        )


class _Lines:
    """Writes to several files; the carriage returns of a progress bar become ends of lines."""

    def __init__(self, *files: TextIO):
        self.files = files

    def write(self, text: str) -> int:
        for file in self.files:
            file.write(text.replace("\r", "\n"))
        return len(text)

    def flush(self) -> None:
        for file in self.files:
            file.flush()
