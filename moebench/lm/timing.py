"""Speed of training steps: every arm in one process, taking turns, with the machine to itself."""

import contextlib
import gc
import random
import time
from collections.abc import Callable, Iterable, Sequence

from tqdm import tqdm

from moebench import machine
from moebench.analysis.rates import tokens_per_s
from moebench.lm.data import Batch, Tokens
from moebench.lm.evaluate import Values
from moebench.lm.replicas import agreed
from moebench.lm.trainer import Trainer
from moebench.parallel.communicators.base import Alone, Communicator
from moebench.parallel.launch import place
from moebench.records import Row
from moebench.setting import Setting, prepare
from moebench.spec import RunSpec, TimingSpec

Clock = Callable[[], float]


def time_arms(
    specs: Sequence[RunSpec],
    tokens: Tokens,
    timing: TimingSpec,
    code: str,
    communicator: Communicator | None = None,
) -> list[Row]:
    """Measure the training steps of all arms in turn, on equal batches; one row a step.

    A round takes one step of every arm, in an order drawn anew, so that a drift of the machine
    meets all arms alike. The first rounds warm up and leave no row. Nothing is scored meanwhile.
    Raises MachineError for more threads than cores. With several ranks, all call this and take each
    step together; the first one has the machine, and the rows.
    """
    machine.check_threads(timing.threads, "timing.threads")
    ranks = communicator or Alone()
    with contextlib.ExitStack() as held:
        if ranks.rank == 0:
            held.enter_context(machine.exclusive())
        ranks.wait_idle()
        held.enter_context(machine.pinned(place().local_rank, ranks.world_size, timing.threads))
        arms = [_arm(spec, tokens, timing.threads, ranks) for spec in specs]
        facts = [
            arm.setting.facts(code, world_size=ranks.world_size, **tokens.digests()) for arm in arms
        ]
        rows = []
        order = random.Random(0)
        gc.collect()
        gc.disable()
        for turn in _shown(timing.warmup_steps + timing.num_steps, len(arms), ranks):
            for index in order.sample(range(len(arms)), len(arms)):
                values = timed_step(arms[index], tokens, turn + 1)
                if turn >= timing.warmup_steps:
                    values["round"] = turn - timing.warmup_steps
                    rows.append(_row(specs[index], facts[index], values))
        gc.enable()
    return rows if ranks.rank == 0 else []


def _arm(spec: RunSpec, tokens: Tokens, threads: int, ranks: Communicator) -> Trainer:
    setting = agreed(prepare(spec.training.device, spec.training.dtype, threads), ranks)
    return Trainer(spec, tokens, setting, ranks)


def _shown(num_rounds: int, num_arms: int, ranks: Communicator) -> Iterable[int]:
    """The rounds, with a line of progress now and then."""
    rounds: Iterable[int] = tqdm(
        range(num_rounds),
        desc=f"timing {num_arms} arms in turn",
        unit="round",
        disable=ranks.rank > 0,
        mininterval=5,
        ascii=True,
        ncols=90,
    )
    return rounds


def timed_step(arm: Trainer, tokens: Tokens, step: int, clock: Clock = time.perf_counter) -> Values:
    """One training step, its parts clocked apart; the batch is made before the clock starts.

    Several ranks begin together. The times are those of the rank that took longest, the tokens
    those of all of them, each counted once.
    """
    training = arm.training
    batch = tokens.training_batch(arm.seed, step, training.batch_size, training.seq_len)
    arm.begin(step)
    arm.replicas.communicator.barrier()
    start_s = _now(arm.setting, clock)
    loss = arm.forward(batch)
    forward_end_s = _now(arm.setting, clock)
    arm.backward(loss)
    backward_end_s = _now(arm.setting, clock)
    arm.update()
    end_s = _now(arm.setting, clock)
    elapsed = {
        "train_time_s": end_s - start_s,
        "forward_s": forward_end_s - start_s,
        "backward_s": backward_end_s - forward_end_s,
        "optimiser_s": end_s - backward_end_s,
    }
    slowest = arm.replicas.largest_first(list(elapsed.values()))
    num_tokens = _num_tokens(batch)
    return {
        **dict(zip(elapsed, slowest, strict=True)),
        "train_tokens": num_tokens,
        "train_tokens_per_s": tokens_per_s(num_tokens, slowest[0]),
    }


def _now(setting: Setting, clock: Clock) -> float:
    setting.synchronise()
    return clock()


def _num_tokens(batch: Batch) -> int:
    return batch[1].numel()


def _row(spec: RunSpec, facts: Values, values: Values) -> Row:
    return Row(kind="timed_step", spec=spec.model_dump(), setting=facts, values=values)
