"""Communicators over torch.distributed: what gloo and NCCL have in common."""

import os
import time
from datetime import timedelta
from typing import ClassVar, Self

import torch
from torch import Tensor
from torch import distributed as dist
from torch._C._distributed_c10d import HashStore, Store, TCPStore
from torch.distributed.rendezvous import rendezvous

from moebench.parallel.communicators.base import Communicator, Rows
from moebench.parallel.launch import Place
from moebench.parallel.lifeline import Lifeline
from moebench.parallel.trace import Trace

_NAP_S = 1e-3
_MEETING = timedelta(seconds=60)  # for ranks to find each other; imports take seconds when crowded


class ProcessGroup(Communicator):
    """Ranks that meet at a TCP store, whose address the launcher gives or rank 0 makes known."""

    backend: ClassVar[str]

    def __init__(self, group: dist.ProcessGroup, device: torch.device, trace: Trace | None = None):
        super().__init__(dist.get_rank(group), dist.get_world_size(group), trace)
        self._group = group
        self._device = device

    @classmethod
    def check(cls, place: Place) -> torch.device:
        """Device of this rank; raises ValueError where the backend cannot run here."""
        return torch.device("cpu")

    @classmethod
    def connect(cls, place: Place, line: Lifeline | None = None) -> Self:
        """Meet at MASTER_ADDR and MASTER_PORT, or at a free port that the parent passes on."""
        device = cls.check(place)
        dist.init_process_group(
            cls.backend, store=_store(place, line), rank=place.rank, world_size=place.world_size
        )
        assert dist.group.WORLD is not None
        return cls(dist.group.WORLD, device)

    @property
    def device(self) -> torch.device:
        """Where tensors to be sent must lie."""
        return self._device

    def barrier(self) -> None:
        """Meet."""
        dist.barrier(self._group)

    def wait_idle(self) -> None:
        """Meet, looking up once a millisecond."""
        work = dist.barrier(self._group, async_op=True)
        while not work.is_completed():
            time.sleep(_NAP_S)
        work.wait()

    def split(self, colour: int) -> "ProcessGroup":
        """Group of equal colour: every rank takes part in making every group."""
        colours: list[int] = [0] * self.world_size
        dist.all_gather_object(colours, colour, self._group)
        world_ranks = dist.get_process_group_ranks(self._group)
        own = None
        for each in sorted(set(colours)):
            members = [
                rank for rank, other in zip(world_ranks, colours, strict=True) if other == each
            ]
            made = dist.new_group(members)
            own = made if each == colour else own
        assert own is not None
        return type(self)(own, self._device, self.trace)

    def abort(self) -> None:
        """End this rank; the others notice a closed connection, or are ended by their parent."""
        os._exit(1)

    def close(self) -> None:
        """Leave the group."""
        dist.destroy_process_group()

    def _all_reduce(self, x: Tensor) -> None:
        dist.all_reduce(x, group=self._group)

    def _all_gather(self, x_NC: Tensor, out: Tensor, num_rows: Rows) -> None:
        if min(num_rows) == max(num_rows):
            dist.all_gather_single(out, x_NC, group=self._group)
        else:
            self._broadcast_rows(x_NC, out, num_rows)

    def _broadcast_rows(self, x_NC: Tensor, out: Tensor, num_rows: Rows) -> None:
        """Uneven rows: each rank in turn sends its own, for neither backend gathers unevenly."""
        rows = out.split_with_sizes(list(num_rows))
        rows[self.rank].copy_(x_NC)
        for root, part in enumerate(rows):
            if part.numel():
                dist.broadcast(part, group=self._group, group_src=root)

    def _reduce_scatter(self, x_NC: Tensor, out: Tensor, num_rows: Rows) -> None:
        """Where rows are uneven, reduce all and keep own: neither backend scatters unevenly."""
        if min(num_rows) == max(num_rows):
            dist.reduce_scatter_single(out, x_NC, group=self._group)
        else:
            total = x_NC.clone()
            dist.all_reduce(total, group=self._group)
            out.copy_(total.split_with_sizes(list(num_rows))[self.rank])

    def _all_to_all(self, x_WC: Tensor, out: Tensor) -> None:
        dist.all_to_all_single(out, x_WC, group=self._group)

    def _all_to_all_rows(
        self, x_NC: Tensor, out: Tensor, send_rows: Rows, receive_rows: Rows
    ) -> None:
        dist.all_to_all_single(out, x_NC, list(receive_rows), list(send_rows), group=self._group)

    def _broadcast(self, x: Tensor, root: int) -> None:
        dist.broadcast(x, group=self._group, group_src=root)


def _store(place: Place, line: Lifeline | None) -> Store:
    """The store that all ranks meet at."""
    if place.launcher == "torchrun":
        store: Store = next(rendezvous("env://"))[0]
        return store
    address, port = os.environ.get("MASTER_ADDR"), os.environ.get("MASTER_PORT")
    if address and port:
        return _open(address, int(port), place)
    if place.world_size == 1:
        return HashStore()
    if line is None:
        raise ValueError(
            f"communicator: torch.distributed under {place.launcher} needs MASTER_ADDR and "
            "MASTER_PORT, a host and a free port of rank 0; set them, or start with torchrun"
        )
    if place.rank == 0:
        store = _open(line.own_host(), 0, place)
        line.say(address=[store.host, store.port])
        return store
    return _open(*line.announced(_MEETING.total_seconds()), place)


def _open(host: str, port: int, place: Place) -> TCPStore:
    """Serve the store on rank 0, find it on the others; port 0 takes a free one."""
    try:
        return TCPStore(
            host, port, place.world_size, place.rank == 0, _MEETING, wait_for_workers=False
        )
    except dist.DistNetworkError as error:
        raise ValueError(
            f"MASTER_PORT={port} on {host} is in use or cannot be reached; free it, choose "
            "another, or leave MASTER_PORT unset where the ranks are started by moebench"
        ) from error
