"""A rank's whole life: join the others, compute, and end together, well or badly."""

import os
import sys
import traceback
from types import TracebackType
from typing import Self

from moebench import registry
from moebench.parallel.communicators.base import Communicator
from moebench.parallel.launch import Place, place
from moebench.parallel.lifeline import Lifeline


class Ranks:
    """Ranks that were started together: ``with Ranks() as ranks: group = ranks.join("mpi")``.

    Where the block fails on one rank, the others would wait for it for ever, in a collective or in
    their library's shutdown. So a failure is printed, told to the parent, and ends all ranks.
    """

    def __init__(self, own: Place | None = None):
        self.place = own or place()
        self._line = Lifeline.of(self.place.rank)
        self._communicator: Communicator | None = None

    def __enter__(self) -> Self:
        return self

    def join(self, communicator: str) -> Communicator:
        """Group of all ranks, through the communicator of this name."""
        kind = registry.load(Communicator, communicator)
        self._communicator = kind.connect(self.place, self._line)
        return self._communicator

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self._fail(error)
        if self._communicator is not None:
            self._communicator.close()
        if self._line is not None:
            self._line.say(done=True)

    def _fail(self, error: BaseException) -> None:
        if isinstance(error, ValueError | OSError):
            print(f"error: rank {self.place.rank}: {error}", file=sys.stderr, flush=True)
        else:
            traceback.print_exception(error)
        sys.stdout.flush()
        sys.stderr.flush()
        if self._line is not None:
            self._line.say(failed=f"{type(error).__name__}: {error}".partition("\n")[0])
            self._line.wait_to_be_ended()
        if self._communicator is not None:
            self._communicator.abort()
        os._exit(1)
