"""What a rank of the training tests runs: ``ranks_program.py REPORT``; rank 0 writes the losses."""

import sys
import tempfile
from pathlib import Path

import torch

from moebench.lm.train import train
from moebench.parallel.launch import place
from moebench.parallel.ranks import Ranks
from tests.lm.texts import learnable_tokens
from tests.specs import run_spec

# Every way in which one token may weigh on another, and all that draws at random.
ARMS = {
    "softk": "replicated",
    "expert_choice": "expert",
    "noisy_topk": "expert",
    "dense": "replicated",
}


def specs(ranks):
    """What is trained, on so many ranks: with drops and dropout."""
    for router, layout in ARMS.items():
        settings = {"num_steps": 16, "eval_every": 8, "balance_coef": 0.1}
        yield run_spec(
            router,
            training=settings | {"ranks": ranks, "layout": layout},
            dropout=0.1,
            capacity_factor=0.75,
        )


def losses(ranks, communicator=None):
    """Training losses, held-out losses and norms of gradients, by router."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for spec in specs(ranks):
            rows = train(
                spec,
                learnable_tokens(),
                Path(folder) / "checkpoint.pt",
                code="test",
                communicator=communicator,
            )
            found[spec.router] = [
                row.values[name]
                for row in rows
                for name in ("train_loss_nats", "grad_norm", "val_nll_nats", "drop_rate")
                if row.values.get(name) is not None
            ]
            assert {row.setting["world_size"] for row in rows} <= {ranks}
    return found


if __name__ == "__main__":
    torch.set_num_threads(1)
    with Ranks() as ranks:
        group = ranks.join("gloo")
        found = losses(place().world_size, group)
        if group.rank == 0:
            torch.save(found, sys.argv[1])
