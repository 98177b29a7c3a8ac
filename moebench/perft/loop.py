"""Steps of training with readings on the way; killed at any step, they go on where they were."""

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from moebench import records, termination
from moebench.setting import Setting

Values = dict[str, Any]

_PROGRESS_S = 5  # at most one line of progress in so many seconds


class Learner(ABC):
    """Whatever is trained step by step."""

    setting: Setting

    @abstractmethod
    def step(self, step: int) -> Values:
        """Do step ``step`` (from 1); what it reads may stay on the device."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """All that a later process needs to go on from here."""

    @abstractmethod
    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a ``state``."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How long, how often, and where what is unfinished lies meanwhile."""

    title: str
    num_steps: int
    eval_every: int
    checkpoint_every: int
    checkpoint: Path  # of an unfinished run; gone after a finished one
    identity: str  # digest of all that decides the outcome; another one's is not gone on from
    remedy: str  # what to do where training diverges


@dataclass
class Progress:
    """How far a run has come, and what it has read on the way."""

    step: int = 0
    wall_s: float = 0.0
    readings: list[tuple[str, Values]] = field(default_factory=list)


class Lap:
    """Time from its making to ``stop``, of the device's own work, read later without waiting."""

    def __init__(self, setting: Setting):
        self._setting = setting
        self._start = setting.moment()

    def stop(self) -> "Lap":
        """End of the lap."""
        self._end = self._setting.moment()
        return self

    def item(self) -> float:
        """Length in seconds."""
        return self._end - self._start


def run(learner: Learner, plan: Plan, score: Callable[[], Values]) -> Progress:
    """Score, train to the last step, score; ``step`` 0 of the validations is before any training.

    Raises ValueError where the training loss is no number any more, and Terminated after SIGTERM,
    with the step that was being done in the checkpoint.
    """
    progress = _resume(learner, plan)
    with termination.noticed() as is_to_end:
        _run_steps(learner, plan, progress, score, is_to_end)
    return progress


def _run_steps(
    learner: Learner,
    plan: Plan,
    progress: Progress,
    score: Callable[[], Values],
    is_to_end: Callable[[], bool],
) -> None:
    if not progress.readings:
        progress.readings.append(("validation", {"step": 0} | score()))
    pending: list[Values] = []
    start = time.monotonic() - progress.wall_s
    for step in _shown(progress, plan):
        lap = Lap(learner.setting)
        values = learner.step(step)
        pending.append({"step": step, **values, "step_s": lap.stop()})
        is_last = step == plan.num_steps
        is_scored = is_last or step % plan.eval_every == 0
        is_leaving = is_to_end() and not is_last
        is_saved = not is_last and (is_leaving or step % plan.checkpoint_every == 0)
        if is_scored or is_saved:
            # Readings reach the host here, not in every step.
            progress.readings += [("train_step", _on_host(each, plan)) for each in pending]
            pending.clear()
        if is_scored:
            progress.readings.append(("validation", {"step": step} | score()))
        progress.step, progress.wall_s = step, time.monotonic() - start
        if is_saved:
            _save(learner, progress, plan)
        if is_leaving:
            raise termination.stopped(step, plan.num_steps)


def _resume(learner: Learner, plan: Plan) -> Progress:
    if not plan.checkpoint.is_file():
        return Progress()
    saved = torch.load(plan.checkpoint, map_location=learner.setting.device, weights_only=True)
    if saved["identity"] != plan.identity:
        print(f"{plan.checkpoint} is of another run: starting from step 1", flush=True)
        return Progress()
    learner.restore(saved["learner"])
    print(f"going on after step {saved['step']} of {plan.checkpoint}", flush=True)
    return Progress(step=saved["step"], wall_s=saved["wall_s"], readings=saved["readings"])


def _save(learner: Learner, progress: Progress, plan: Plan) -> None:
    """Write the checkpoint; a kill at any moment leaves the old or the new one, whole."""
    with records.whole(plan.checkpoint) as file:
        torch.save({"identity": plan.identity, "learner": learner.state(), **vars(progress)}, file)


def _on_host(values: Values, plan: Plan) -> Values:
    """Numbers for tensors and laps."""
    numbers = {k: v.item() if hasattr(v, "item") else v for k, v in values.items()}
    if not math.isfinite(numbers["train_loss_nats"]):
        raise ValueError(
            f"the training loss is {numbers['train_loss_nats']} at step {numbers['step']}: "
            f"training diverged; {plan.remedy}"
        )
    return numbers


def _shown(progress: Progress, plan: Plan) -> Iterable[int]:
    """The steps still to do, with a line of progress now and then."""
    steps: Iterable[int] = tqdm(
        range(progress.step + 1, plan.num_steps + 1),
        desc=plan.title,
        initial=progress.step,
        total=plan.num_steps,
        unit="step",
        mininterval=_PROGRESS_S,
        ascii=True,
        ncols=90,
    )
    return steps
