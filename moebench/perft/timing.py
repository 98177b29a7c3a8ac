"""Speed of finetuning steps: every arm on one base model, taking turns, with the machine alone."""

import gc
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tqdm import tqdm

from moebench import machine
from moebench.perft.base_model import load_base
from moebench.perft.cell import training_questions
from moebench.perft.evaluate import Values
from moebench.perft.finetune import Finetuner, questions_digest
from moebench.records import Row
from moebench.setting import prepare
from moebench.spec import TimingSpec
from moebench.spec.adapters import AdapterRunSpec

Clock = Callable[[], float]


def time_adapters(
    specs: Sequence[AdapterRunSpec], folder: Path, train: Path, timing: TimingSpec, code: str
) -> list[Row]:
    """Measure finetuning steps of all arms in turn, on equal batches; one row a step.

    A round takes one step of every arm, in an order drawn anew. The first rounds warm up and leave
    no row. ``folder`` holds the base model, ``train`` the encoded questions. Raises MachineError
    for more threads than cores.
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
        order = random.Random(0)
        gc.collect()
        gc.disable()
        for turn in tqdm(
            range(timing.warmup_steps + timing.num_steps),
            desc=f"timing {len(arms)} adapters in turn",
            unit="round",
            mininterval=5,
            ascii=True,
            ncols=90,
        ):
            for index in order.sample(range(len(arms)), len(arms)):
                values = timed_step(arms[index], turn + 1)
                if turn >= timing.warmup_steps:
                    values["round"] = turn - timing.warmup_steps
                    spec = specs[index].model_dump()
                    rows.append(Row(kind="timed_step", spec=spec, setting=facts, values=values))
        gc.enable()
    return rows


def timed_step(arm: Finetuner, step: int, clock: Clock = time.perf_counter) -> Values:
    """One training step, its parts clocked apart; the batch is made before the clock starts."""
    batch = arm.batch(step)
    arm.begin(step)
    start_s = _now(arm, clock)
    loss = arm.forward(batch)
    forward_end_s = _now(arm, clock)
    arm.backward(loss)
    backward_end_s = _now(arm, clock)
    arm.update()
    end_s = _now(arm, clock)
    return {
        "forward_s": forward_end_s - start_s,
        "backward_s": backward_end_s - forward_end_s,
        "optimiser_s": end_s - backward_end_s,
        "train_time_s": end_s - start_s,
        "train_tokens": int(batch.is_token_BS.sum()),
    }


def _now(arm: Finetuner, clock: Clock) -> float:
    arm.setting.synchronise()
    return clock()
