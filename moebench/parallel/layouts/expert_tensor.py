"""Experts spread over rows of a mesh of ranks, and each expert's hidden units over its columns."""

import math

from moebench.parallel.communicators.base import Communicator
from moebench.parallel.layouts.expert import ExpertParallel


class ExpertTensor(ExpertParallel):
    """Rank r stands in row r // T and column r % T of a mesh with T columns.

    T is the largest divisor of the world size up to its square root, so that a row's ranks are
    neighbours; for a prime number of ranks it is 1, and the layout is ``expert``. Rows of the batch
    are exchanged along a column; a row of the mesh sums its answers before they are gathered.
    """

    is_distributed = True

    @classmethod
    def hidden_ranks(cls, world_size: int) -> int:
        """Columns of the mesh."""
        root = math.isqrt(world_size)
        return next(T for T in range(root, 0, -1) if world_size % T == 0)

    @classmethod
    def _groups(cls, communicator: Communicator) -> tuple[Communicator, Communicator]:
        T = cls.hidden_ranks(communicator.world_size)
        row, column = divmod(communicator.rank, T)
        return communicator.split(column), communicator.split(row)
