"""Ranks to which something happens: ``mishaps.py COMMUNICATOR WHAT``; rank 1 is the unlucky one."""

import os
import signal
import sys
import time

import torch

from moebench.parallel.ranks import Ranks

MISHAPS = {
    "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "left": lambda: os._exit(0),
    "refused": lambda: int("no number"),
    "wrong": lambda: 1 / 0,
    "asleep": lambda: time.sleep(60),
    "none": lambda: None,
}

if __name__ == "__main__":
    with Ranks() as ranks:
        group = ranks.join(sys.argv[1])
        group.barrier()
        if group.rank == 1:
            MISHAPS[sys.argv[2]]()
        group.all_reduce(torch.ones(1))
