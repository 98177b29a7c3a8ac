"""Speed of training steps: every arm in one process, taking turns, with the machine to itself."""

import time
from collections.abc import Sequence

from moebench import machine
from moebench.analysis.rates import tokens_per_s
from moebench.lm.data import Tokens
from moebench.lm.evaluate import Values
from moebench.lm.trainer import Trainer
from moebench.lm.turns import Clock, clocked_step, in_turn
from moebench.records import Row
from moebench.setting import prepare
from moebench.spec import RunSpec, TimingSpec


def time_arms(specs: Sequence[RunSpec], tokens: Tokens, timing: TimingSpec, code: str) -> list[Row]:
    """Measure the training steps of all arms in turn, on equal batches; one row a step.

    A round takes one step of every arm. The first rounds warm up and leave no row. Nothing is
    scored meanwhile. Raises MachineError for more threads than cores.
    """
    machine.check_threads(timing.threads, "timing.threads")
    with machine.exclusive():
        settings = [
            prepare(spec.training.device, spec.training.dtype, timing.threads) for spec in specs
        ]
        arms = [
            Trainer(spec, tokens, setting) for spec, setting in zip(specs, settings, strict=True)
        ]
        facts = [setting.facts(code, **tokens.digests()) for setting in settings]
        rows = []
        num_rounds = timing.warmup_steps + timing.num_steps
        for turn, index in in_turn(len(arms), num_rounds, "timing arms"):
            values = timed_step(arms[index], tokens, turn)
            if turn > timing.warmup_steps:
                values["round"] = turn - timing.warmup_steps - 1
                rows.append(_row(specs[index], facts[index], values))
    return rows


def timed_step(arm: Trainer, tokens: Tokens, step: int, clock: Clock = time.perf_counter) -> Values:
    """One training step, its parts clocked apart, and the rate of the whole."""
    training = arm.training
    batch = tokens.training_batch(arm.seed, step, training.batch_size, training.seq_len)
    parts = clocked_step(arm, batch, step, clock)
    num_tokens = batch[1].numel()
    rate = tokens_per_s(num_tokens, parts["train_time_s"])
    return parts | {"train_tokens": num_tokens, "train_tokens_per_s": rate}


def _row(spec: RunSpec, facts: Values, values: Values) -> Row:
    return Row(kind="timed_step", spec=spec.model_dump(), setting=facts, values=values)
