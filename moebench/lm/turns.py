"""Training steps of several models in turn, and the parts of one step on the clock."""

import random
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Protocol

from tqdm import tqdm

from moebench import machine
from moebench.setting import Setting

Clock = Callable[[], float]


class Trained(Protocol):
    """What makes a training step: it forgets what was before, then does the three parts."""

    @property
    def setting(self) -> Setting:
        """Where it computes."""

    def begin(self, step: int) -> Any:
        """Prepare a step."""

    def forward(self, batch: Any) -> Any:
        """Loss of a batch."""

    def backward(self, loss: Any) -> None:
        """Gradients."""

    def update(self) -> Any:
        """Move the parameters."""


def in_turn(
    num_models: int, num_rounds: int, name: str, *, is_silent: bool = False
) -> Iterator[tuple[int, int]]:
    """Number of a round, from 1, and of a model: every model once in a round, with progress.

    The order is drawn anew for each round, so that a drift of the machine meets all models alike.
    No garbage is collected meanwhile.
    """
    order = random.Random(0)
    with machine.uncollected():
        for turn in tqdm(
            range(1, num_rounds + 1),
            desc=f"{name}, {num_models} in turn",
            unit="round", mininterval=5, ascii=True, ncols=90, disable=is_silent,
        ):  # fmt: skip
            for index in order.sample(range(num_models), num_models):
                yield turn, index


def clocked_step(
    model: Trained, batch: Any, step: int, clock: Clock = time.perf_counter
) -> dict[str, float]:
    """Seconds of one training step and of its parts; the batch is there before the clock starts."""
    now = partial(model.setting.moment, clock)
    model.begin(step)
    start = now()
    loss = model.forward(batch)
    forward_end = now()
    model.backward(loss)
    backward_end = now()
    model.update()
    end = now()
    return {
        "forward_s": forward_end - start,
        "backward_s": backward_end - forward_end,
        "optimiser_s": end - backward_end,
        "train_time_s": end - start,
    }
