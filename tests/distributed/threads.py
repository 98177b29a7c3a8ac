"""Ranks as threads of one process: every layout's collectives, without a launcher or a library."""

import threading
from concurrent.futures import ThreadPoolExecutor

import torch
from torch.utils._python_dispatch import _disable_current_modes

from moebench.parallel.communicators.base import Communicator


class Meeting:
    """Where the ranks of one group lay down what they send, and take up what they receive."""

    def __init__(self, world_size):
        self.barrier = threading.Barrier(world_size, timeout=20)
        self.laid_down = [None] * world_size
        self.groups = {}

    def swap(self, rank, thing):
        """What every rank has laid down, in the order of ranks."""
        self.laid_down[rank] = thing
        self.barrier.wait()
        everything = list(self.laid_down)
        self.barrier.wait()
        return everything


class Threads(Communicator):
    """A rank that is a thread. Written for clarity: each collective in terms of one swap."""

    backend = "threads"

    def __init__(self, rank, world_size, meeting, trace=None):
        super().__init__(rank, world_size, trace)
        self.meeting = meeting

    @classmethod
    def connect(cls, place, line=None):
        raise AssertionError("made by run_ranks")

    def barrier(self):
        self.meeting.barrier.wait()

    wait_idle = barrier

    def split(self, colour):
        colours = self.meeting.swap(self.rank, colour)
        members = [rank for rank, other in enumerate(colours) if other == colour]
        if self.rank == members[0]:
            self.meeting.groups[colour] = Meeting(len(members))
        self.barrier()
        group = self.meeting.groups[colour]
        self.barrier()
        return Threads(members.index(self.rank), len(members), group, self.trace)

    def abort(self):
        self.meeting.barrier.abort()

    def _run(self, *collective):
        with _disable_current_modes():  # what a test counts does not include how threads do it
            super()._run(*collective)

    def _swap(self, x):
        return self.meeting.swap(self.rank, x.detach().clone())

    def _all_reduce(self, x):
        x.copy_(torch.stack(self._swap(x)).sum(dim=0))

    def _all_gather(self, x_NC, out, num_rows):
        parts = self._swap(x_NC)
        assert [len(part) for part in parts] == list(num_rows)
        out.copy_(torch.cat(parts))

    def _reduce_scatter(self, x_NC, out, num_rows):
        total = torch.stack(self._swap(x_NC)).sum(dim=0)
        out.copy_(total.split(list(num_rows))[self.rank])

    def _all_to_all(self, x_WC, out):
        out.copy_(torch.stack([part[self.rank] for part in self._swap(x_WC)]))

    def _all_to_all_rows(self, x_NC, out, send_rows, receive_rows):
        everything = self.meeting.swap(self.rank, (x_NC.detach().clone(), list(send_rows)))
        parts = [part.split(rows)[self.rank] for part, rows in everything]
        assert [len(part) for part in parts] == list(receive_rows)
        out.copy_(torch.cat(parts))

    def _broadcast(self, x, root):
        x.copy_(self._swap(x)[root])


def run_ranks(world_size, work):
    """Results of ``work(communicator)`` of every rank; the first failure is raised."""
    meeting = Meeting(world_size)

    def rank(number):
        communicator = Threads(number, world_size, meeting)
        try:
            return work(communicator)
        except BaseException:
            communicator.abort()
            raise

    with ThreadPoolExecutor(world_size) as pool:
        started = [pool.submit(rank, number) for number in range(world_size)]
    failures = [each.exception() for each in started if each.exception()]
    first = [each for each in failures if not isinstance(each, threading.BrokenBarrierError)]
    for failure in [*first, *failures]:
        raise failure
    return [each.result() for each in started]
