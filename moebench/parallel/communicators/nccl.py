"""NCCL, through torch.distributed: between GPUs, one for each rank."""

import torch

from moebench.parallel.launch import Place
from moebench.parallel.process_group import ProcessGroup


class Nccl(ProcessGroup):
    """Each rank takes the GPU of its number on this host."""

    backend = "nccl"

    @classmethod
    def check(cls, place: Place) -> torch.device:
        """This rank's GPU; raises ValueError where there is none for it."""
        num_gpus = torch.cuda.device_count()
        if place.local_rank >= num_gpus:
            raise ValueError(
                f"communicator 'nccl' needs a GPU for every rank, and rank {place.rank}, number "
                f"{place.local_rank} on this host, finds {num_gpus}; "
                "start fewer ranks, or let them compute on CPUs"
            )
        device = torch.device("cuda", place.local_rank)
        torch.cuda.set_device(device)
        return device
