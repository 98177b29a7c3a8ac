"""Speed of training steps: every arm in one process, taking turns, with the machine to itself."""

import contextlib
import time
from collections.abc import Sequence

from moebench import machine
from moebench.analysis.rates import tokens_per_s
from moebench.lm.data import Tokens
from moebench.lm.evaluate import Values
from moebench.lm.replicas import agreed
from moebench.lm.trainer import Trainer
from moebench.lm.turns import Clock, clocked_step, in_turn
from moebench.parallel.communicators.base import Alone, Communicator
from moebench.parallel.launch import place
from moebench.records import Row
from moebench.setting import Setting, prepare
from moebench.spec import RunSpec, TimingSpec


def time_arms(
    specs: Sequence[RunSpec],
    tokens: Tokens,
    timing: TimingSpec,
    code: str,
    communicator: Communicator | None = None,
) -> list[Row]:
    """Measure the training steps of all arms in turn, on equal batches; one row a step.

    A round takes one step of every arm. The first rounds warm up and leave no row. Nothing is
    scored meanwhile. Raises MachineError for more threads than cores. With several ranks, all call
    this and take each step together; the first one has the machine, and the rows.
    """
    machine.check_threads(timing.threads, "timing.threads")
    ranks = communicator or Alone()
    with contextlib.ExitStack() as held:
        if ranks.rank == 0:
            held.enter_context(machine.exclusive())
        ranks.wait_idle()
        settings = [_setting(spec, timing.threads, ranks) for spec in specs]
        # Told before this rank keeps to its cores: the machine has more.
        facts = [
            setting.facts(
                code,
                world_size=ranks.world_size,
                is_pinned=machine.are_pinned(ranks.world_size, timing.threads),
                **tokens.digests(),
            )
            for setting in settings
        ]
        held.enter_context(machine.pinned(place().local_rank, ranks.world_size, timing.threads))
        arms = [
            Trainer(spec, tokens, setting, ranks)
            for spec, setting in zip(specs, settings, strict=True)
        ]
        rows = []
        num_rounds = timing.warmup_steps + timing.num_steps
        is_silent = ranks.rank > 0
        for turn, index in in_turn(len(arms), num_rounds, "timing arms", is_silent=is_silent):
            values = timed_step(arms[index], tokens, turn)
            if turn > timing.warmup_steps:
                values["round"] = turn - timing.warmup_steps - 1
                rows.append(_row(specs[index], facts[index], values))
    return [] if is_silent else rows


def _setting(spec: RunSpec, threads: int, ranks: Communicator) -> Setting:
    return agreed(prepare(spec.training.device, spec.training.dtype, threads), ranks)


def timed_step(arm: Trainer, tokens: Tokens, step: int, clock: Clock = time.perf_counter) -> Values:
    """One training step, its parts clocked apart, and the rate of the whole.

    Several ranks begin together. The times are those of the rank that took longest, the tokens
    those of all of them, each counted once.
    """
    training = arm.training
    batch = tokens.training_batch(arm.seed, step, training.batch_size, training.seq_len)
    arm.replicas.communicator.barrier()
    own = clocked_step(arm, batch, step, clock)
    parts = arm.replicas.slowest(own, "train_time_s")
    num_tokens = batch[1].numel()
    rate = tokens_per_s(num_tokens, parts["train_time_s"])
    return parts | {"train_tokens": num_tokens, "train_tokens_per_s": rate}


def _row(spec: RunSpec, facts: Values, values: Values) -> Row:
    return Row(kind="timed_step", spec=spec.model_dump(), setting=facts, values=values)
