"""MPI through mpi4py: the tensors' own memory is sent, nothing is pickled or copied."""

import functools
import math
import time
from types import ModuleType
from typing import TYPE_CHECKING, Self

from torch import Tensor

from moebench.parallel.communicators.base import Communicator, Rows
from moebench.parallel.launch import Place
from moebench.parallel.lifeline import Lifeline
from moebench.parallel.trace import Trace

if TYPE_CHECKING:
    from mpi4py import MPI

_NAP_S = 1e-3


class Mpi(Communicator):
    """Whatever MPI library mpi4py finds; the wheel ``mpich`` brings one with its mpiexec."""

    backend = "mpi"

    def __init__(self, group: "MPI.Comm", trace: Trace | None = None):
        super().__init__(group.rank, group.size, trace)
        self._group = group

    @classmethod
    def connect(cls, place: Place, line: Lifeline | None = None) -> Self:
        """Join MPI's world."""
        world = _library().COMM_WORLD
        if world.size != place.world_size:
            raise ValueError(
                f"communicator 'mpi': {place.launcher} started {place.world_size} ranks, but MPI "
                f"knows of {world.size}; use the mpiexec that belongs to the library mpi4py loads"
            )
        return cls(world)

    def barrier(self) -> None:
        """Meet, spinning."""
        self._group.Barrier()

    def wait_idle(self) -> None:
        """Meet, looking up once a millisecond."""
        request = self._group.Ibarrier()
        while not request.Test():
            time.sleep(_NAP_S)

    def split(self, colour: int) -> "Mpi":
        """Group of equal colour."""
        return Mpi(self._group.Split(colour, self.rank), self.trace)

    def abort(self) -> None:
        """Let MPI kill every rank."""
        _library().COMM_WORLD.Abort(1)

    def _all_reduce(self, x: Tensor) -> None:
        self._group.Allreduce(_library().IN_PLACE, x.numpy())

    def _all_gather(self, x_NC: Tensor, out: Tensor, num_rows: Rows) -> None:
        if _is_even(num_rows):
            self._group.Allgather(x_NC.numpy(), out.numpy())
        else:
            self._group.Allgatherv(x_NC.numpy(), [out.numpy(), _numbers(out, num_rows)])

    def _reduce_scatter(self, x_NC: Tensor, out: Tensor, num_rows: Rows) -> None:
        if _is_even(num_rows):
            self._group.Reduce_scatter_block(x_NC.numpy(), out.numpy())
        else:
            self._group.Reduce_scatter(x_NC.numpy(), out.numpy(), _numbers(x_NC, num_rows))

    def _all_to_all(self, x_WC: Tensor, out: Tensor) -> None:
        self._group.Alltoall(x_WC.numpy(), out.numpy())

    def _all_to_all_rows(
        self, x_NC: Tensor, out: Tensor, send_rows: Rows, receive_rows: Rows
    ) -> None:
        self._group.Alltoallv(
            [x_NC.numpy(), _numbers(x_NC, send_rows)], [out.numpy(), _numbers(out, receive_rows)]
        )

    def _broadcast(self, x: Tensor, root: int) -> None:
        self._group.Bcast(x.numpy(), root)


def _is_even(num_rows: Rows) -> bool:
    return min(num_rows) == max(num_rows)


def _numbers(x: Tensor, num_rows: Rows) -> list[int]:
    """Numbers in each rank's rows. Not by strides: an empty row has one that is not its width."""
    width = math.prod(x.shape[1:])
    return [width * rows for rows in num_rows]


@functools.cache
def _library() -> ModuleType:
    """Import and start MPI, at the thread level that mpi4py asks for, "multiple".

    At "funneled" MPICH's waiting ranks never yield their core: with more ranks than cores an
    all-reduce of 1 kB then takes 8 ms instead of 0.08.
    """
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        raise ValueError(
            f"communicator 'mpi' needs mpi4py and an MPI library ({error}); "
            "pip install mpi4py mpich, or set communicator to 'gloo'"
        ) from error
    return MPI
