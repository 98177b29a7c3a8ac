import itertools

import pytest

from moebench.lm import timing as timing_module
from moebench.lm.timing import time_arms, timed_step
from moebench.lm.trainer import Trainer
from moebench.machine import MachineError, num_cores
from moebench.setting import prepare
from moebench.spec import TimingSpec
from tests.lm.texts import learnable_tokens
from tests.specs import run_spec


def arm(router="softk"):
    spec = run_spec(router)
    return Trainer(spec, learnable_tokens(), prepare("cpu", "float32", 1))


def test_parts_of_a_step_are_read_off_the_clock_in_order():
    clock = iter([10.0, 11.0, 13.0, 13.5]).__next__
    values = timed_step(arm(), learnable_tokens(), 1, clock)
    assert values["forward_s"] == 1.0
    assert values["backward_s"] == 2.0
    assert values["optimiser_s"] == 0.5
    assert values["train_time_s"] == 3.5
    assert values["train_tokens"] == 4 * 16
    assert values["train_tokens_per_s"] == 64 / 3.5


def test_rate_times_time_is_the_tokens_seen():
    specs = [run_spec(router) for router in ("top1", "softk", "dense")]
    rows = time_arms(specs, learnable_tokens(), TimingSpec(warmup_steps=2, num_steps=3), "test")
    assert len(rows) == 9, "warm-up leaves no row"
    for row in rows:
        values = row.values
        assert values["train_tokens_per_s"] * values["train_time_s"] == pytest.approx(
            values["train_tokens"]
        )
        parts = values["forward_s"] + values["backward_s"] + values["optimiser_s"]
        assert parts == pytest.approx(values["train_time_s"])


def test_every_round_holds_one_step_of_every_arm_on_the_same_batch(monkeypatch):
    seen = []
    step = timing_module.timed_step

    def watched(trainer, tokens, number, *rest):
        seen.append((number, trainer.model.spec.router))
        return step(trainer, tokens, number, *rest)

    monkeypatch.setattr(timing_module, "timed_step", watched)
    specs = [run_spec(router) for router in ("top1", "softk", "dense")]
    time_arms(specs, learnable_tokens(), TimingSpec(warmup_steps=1, num_steps=6), "test")
    rounds = [list(group) for _, group in itertools.groupby(seen, key=lambda each: each[0])]
    assert [sorted(router for _, router in each) for each in rounds] == [
        ["dense", "softk", "top1"]
    ] * 7
    assert len({tuple(router for _, router in each) for each in rounds}) > 1, "turns are shuffled"


def test_nothing_is_scored_while_the_clock_runs(monkeypatch):
    def forbidden(*_):
        raise AssertionError("validation inside a measurement")

    trainer = arm()
    monkeypatch.setattr(type(learnable_tokens()), "validation_batches", forbidden)
    timed_step(trainer, learnable_tokens(), 1)


def test_more_threads_than_cores_are_refused():
    with pytest.raises(MachineError, match=f"more than the {num_cores()} cores at hand"):
        time_arms([run_spec()], learnable_tokens(), TimingSpec(threads=num_cores() + 1), "test")
