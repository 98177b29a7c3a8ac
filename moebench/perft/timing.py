"""Speed of finetuning steps: every arm on one base model, taking turns, with the machine alone."""

import time
from collections.abc import Sequence
from pathlib import Path

from moebench import machine
from moebench.lm.turns import Clock, clocked_step, in_turn
from moebench.perft.base_model import load_base
from moebench.perft.cell import training_questions
from moebench.perft.evaluate import Values
from moebench.perft.finetune import Finetuner, questions_digest
from moebench.records import Row
from moebench.setting import prepare
from moebench.spec import TimingSpec
from moebench.spec.adapters import AdapterRunSpec


def time_adapters(
    specs: Sequence[AdapterRunSpec], folder: Path, train: Path, timing: TimingSpec, code: str
) -> list[Row]:
    """Measure finetuning steps of all arms in turn, on equal batches; one row a step.

    A round takes one step of every arm. The first rounds warm up and leave no row. ``folder`` holds
    the base model, ``train`` the encoded questions. Raises MachineError for more threads than
    cores.
    """
    machine.check_threads(timing.threads, "timing.threads")
    with machine.exclusive():
        finetuning = specs[0].finetuning
        setting = prepare(finetuning.device, finetuning.dtype, timing.threads)
        base, questions = load_base(folder, setting), training_questions(train)
        facts = setting.facts(
            code, base_sha256=base.identity, questions_sha256=questions_digest(questions)
        )
        arms = [Finetuner(spec, base, questions) for spec in specs]
        rows = []
        num_rounds = timing.warmup_steps + timing.num_steps
        for turn, index in in_turn(len(arms), num_rounds, "timing adapters"):
            values = timed_step(arms[index], turn)
            if turn > timing.warmup_steps:
                values["round"] = turn - timing.warmup_steps - 1
                spec = specs[index].model_dump()
                rows.append(Row(kind="timed_step", spec=spec, setting=facts, values=values))
    return rows


def timed_step(arm: Finetuner, step: int, clock: Clock = time.perf_counter) -> Values:
    """One training step, its parts clocked apart."""
    batch = arm.batch(step)
    parts = clocked_step(arm, batch, step, clock)
    return parts | {"train_tokens": int(batch.is_token_BS.sum())}
