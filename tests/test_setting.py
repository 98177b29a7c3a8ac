import itertools
import time

import pytest
import torch

from moebench.machine import MachineError
from moebench.setting import fastest_dtype, prepare
from tests.specs import run_spec


def clock_of(float32_s, bfloat16_s):
    """A clock on which the two products of every round take these times."""
    ticks = itertools.cycle([0.0, float32_s, 0.0, bfloat16_s])
    return lambda: next(ticks)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("float32_s", "bfloat16_s", "chosen"),
    [
        (2.0, 1.0, torch.bfloat16),
        (1.0, 1.0, torch.float32),
        (1.1, 1.0, torch.float32),
        (1.0, 50.0, torch.float32),
    ],
)
def test_a_cpu_takes_bfloat16_only_where_it_is_clearly_faster(float32_s, bfloat16_s, chosen):
    assert fastest_dtype(torch.device("cpu"), clock_of(float32_s, bfloat16_s)) == chosen


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_refused():
    with pytest.raises(MachineError, match="needs a GPU"):
        prepare("cuda", "auto", 1)


def test_every_row_says_where_and_how_it_was_measured():
    facts = prepare("cpu", "auto", 1).facts("code")
    assert facts["device"] == "cpu"
    assert facts["dtype"] == "float32"
    assert facts["threads"] == torch.get_num_threads() == 1
    assert facts["world_size"] == 1
    assert not facts["is_oversubscribed"]


@pytest.mark.slow
def test_more_ranks_than_cores_are_called_oversubscribed():
    assert prepare("cpu", "auto", 1).facts("code", world_size=4096)["is_oversubscribed"]


def test_moments_on_a_cpu_are_readings_of_the_clock():
    times_s = iter([2.0, 5.5])
    setting = prepare("cpu", "float32", 1)
    earlier = setting.moment(lambda: next(times_s))
    assert setting.moment(lambda: next(times_s)) - earlier == 3.5


@pytest.mark.gpu
def test_moments_on_a_gpu_are_passed_by_its_work_and_not_by_its_orders():
    setting = prepare("cuda", "float32", 1)
    a = setting.to_device(torch.randn(4096, 4096))
    a @ a  # sets up the library
    setting.synchronise()
    start, ordered_s = setting.moment(), time.perf_counter()
    for _ in range(50):
        a @ a
    end, ordered_s = setting.moment(), time.perf_counter() - ordered_s
    done_s = end - start
    assert done_s > 50 * 2 * 4096**3 / 1e15  # no GPU does 1000 TFLOP/s in float32
    assert ordered_s < done_s


@pytest.mark.gpu
def test_a_training_step_on_a_gpu_equals_one_on_a_cpu():
    from moebench.lm.trainer import Trainer
    from tests.lm.texts import learnable_tokens

    tokens = learnable_tokens()
    batch = tokens.training_batch(0, 1, 4, 16)
    losses = []
    for device in ("cpu", "cuda"):
        spec = run_spec(training={"device": device})
        losses.append(
            Trainer(spec, tokens, prepare(device, "float32", 1)).forward(batch).task.item()
        )
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)
