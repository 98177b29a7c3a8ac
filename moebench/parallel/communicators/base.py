"""The communicator interface: collectives over tensors, every one of them counted.

Shapes: W ranks, N rows (as many as each rank has, which may differ), C anything behind the rows.
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar, Self, cast

import torch
from torch import Tensor

from moebench.parallel.launch import Place
from moebench.parallel.lifeline import Lifeline
from moebench.parallel.trace import Message, Trace

Rows = Sequence[int]  # number of rows of each rank


class Communicator(ABC):
    """A group of ranks. Tensors must be contiguous; a group of one neither sends nor counts."""

    backend: ClassVar[str]  # the library that carries messages, as it stands in every row

    def __init__(self, rank: int, world_size: int, trace: Trace | None = None):
        self.rank = rank
        self.world_size = world_size
        self.trace = trace or Trace()  # shared with the groups split off

    @classmethod
    @abstractmethod
    def connect(cls, place: Place, line: Lifeline | None = None) -> Self:
        """Join the group of all ranks that were started together, through ``line`` if need be.

        Raises ValueError, in one line, where the library, its launcher or its device is missing.
        """

    @property
    def device(self) -> torch.device:
        """Where tensors to be sent must lie."""
        return torch.device("cpu")

    def all_reduce(self, x: Tensor) -> Tensor:
        """Sum over ranks, in place; returns ``x``."""
        if self.world_size > 1:
            self._run("all_reduce", x.nbytes, partial(self._all_reduce, x))
        return x

    def all_reduce_packed(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Sums over ranks of several tensors, in one message."""
        packed = self.all_reduce(torch.cat([tensor.flatten() for tensor in tensors]))
        parts = packed.split_with_sizes([tensor.numel() for tensor in tensors])
        return [part.view(tensor.shape) for part, tensor in zip(parts, tensors, strict=True)]

    def all_gather(self, x_NC: Tensor, num_rows: Rows) -> Tensor:
        """Rows of all ranks, one below the other; ``num_rows``, of each rank, known to all."""
        if self.world_size == 1:
            return x_NC
        assert len(x_NC) == num_rows[self.rank], f"{len(x_NC)} rows, announced {num_rows}"
        out = x_NC.new_empty((sum(num_rows), *x_NC.shape[1:]))
        self._run("all_gather", x_NC.nbytes, partial(self._all_gather, x_NC, out, num_rows))
        return out

    def reduce_scatter(self, x_NC: Tensor, num_rows: Rows) -> Tensor:
        """Sum over ranks, of which each rank gets its own rows."""
        if self.world_size == 1:
            return x_NC
        assert len(x_NC) == sum(num_rows), f"{len(x_NC)} rows, announced {num_rows}"
        out = x_NC.new_empty((num_rows[self.rank], *x_NC.shape[1:]))
        self._run("reduce_scatter", x_NC.nbytes, partial(self._reduce_scatter, x_NC, out, num_rows))
        return out

    def all_to_all(self, x_WC: Tensor) -> Tensor:
        """Row r of ``x_WC`` for rank r; returns the rows that every rank had for this one."""
        if self.world_size == 1:
            return x_WC
        out = torch.empty_like(x_WC)
        num_bytes = x_WC.nbytes // self.world_size * (self.world_size - 1)
        self._run("all_to_all", num_bytes, partial(self._all_to_all, x_WC, out))
        return out

    def all_to_all_rows(self, x_NC: Tensor, send_rows: Rows, receive_rows: Rows) -> Tensor:
        """Uneven exchange: the first ``send_rows[0]`` rows for rank 0, and so on.

        Returns ``receive_rows[r]`` rows of each rank r, in the order of ranks.
        """
        if self.world_size == 1:
            return x_NC
        out = x_NC.new_empty((sum(receive_rows), *x_NC.shape[1:]))
        row_bytes = x_NC[:1].numel() * x_NC.itemsize if len(x_NC) else 0
        num_bytes = (len(x_NC) - send_rows[self.rank]) * row_bytes
        exchange = partial(self._all_to_all_rows, x_NC, out, send_rows, receive_rows)
        self._run("all_to_all", num_bytes, exchange)
        return out

    def broadcast(self, x: Tensor, root: int = 0) -> Tensor:
        """Overwrite ``x`` with that of ``root``; returns it."""
        if self.world_size > 1:
            self._run("broadcast", x.nbytes, partial(self._broadcast, x, root))
        return x

    @abstractmethod
    def barrier(self) -> None:
        """Return when all ranks are here, as soon as can be; not counted."""

    @abstractmethod
    def wait_idle(self) -> None:
        """Return when all ranks are here, asleep meanwhile, so that a busy rank has the cores."""

    @abstractmethod
    def split(self, colour: int) -> "Communicator":
        """Group of the ranks that give the same colour, in the order of ranks; all must call it."""

    @abstractmethod
    def abort(self) -> None:
        """End all ranks at once, after a failure; does not return."""

    def close(self) -> None:  # noqa: B027 - most have nothing to close
        """Leave the group, after the last collective."""

    def _run(self, collective: str, num_bytes: int, run: partial[None]) -> None:
        message = Message(collective, num_bytes, self.world_size)
        self.trace.sent[message] += 1
        if self.trace.is_timing:
            self.trace.carry_out(message, self.barrier, run)
        else:
            run()

    @abstractmethod
    def _all_reduce(self, x: Tensor) -> None: ...

    @abstractmethod
    def _all_gather(self, x_NC: Tensor, out: Tensor, num_rows: Rows) -> None: ...

    @abstractmethod
    def _reduce_scatter(self, x_NC: Tensor, out: Tensor, num_rows: Rows) -> None: ...

    @abstractmethod
    def _all_to_all(self, x_WC: Tensor, out: Tensor) -> None: ...

    @abstractmethod
    def _all_to_all_rows(
        self, x_NC: Tensor, out: Tensor, send_rows: Rows, receive_rows: Rows
    ) -> None: ...

    @abstractmethod
    def _broadcast(self, x: Tensor, root: int) -> None: ...


class Alone(Communicator):
    """A group of one, for what needs no other rank and no library that could be missing."""

    backend = "none"

    def __init__(self) -> None:
        super().__init__(rank=0, world_size=1)

    @classmethod
    def connect(cls, place: Place, line: Lifeline | None = None) -> Self:
        """There is nobody to meet."""
        assert place.world_size == 1, f"{place.world_size} ranks are not alone"
        return cls()

    def barrier(self) -> None:
        """Return at once."""

    def wait_idle(self) -> None:
        """Return at once."""

    def split(self, colour: int) -> "Alone":
        """Itself: no group can be smaller."""
        return self

    def abort(self) -> None:
        """End this process."""
        os._exit(1)

    def _nobody(self, *arguments: object) -> None:
        raise AssertionError("a group of one sends nothing")

    _all_reduce = _all_gather = _reduce_scatter = cast(Any, _nobody)
    _all_to_all = _all_to_all_rows = _broadcast = cast(Any, _nobody)
