from dataclasses import replace

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from moebench.bench.legacy import LegacyLayer
from moebench.bench.step import account, measure_step, model_flops, step_spec
from moebench.lm.trainer import Trainer
from moebench.machine import MachineError, num_cores
from moebench.moe import MoELayer
from moebench.records import Row
from moebench.setting import prepare
from tests.lm.texts import learnable_tokens
from tests.specs import run_spec


def small_trainer(**model):
    spec = run_spec(dim=16, drop_policy="none", **model)
    return Trainer(spec, learnable_tokens(), prepare("cpu", "float32", 1))


@pytest.mark.slow
def test_model_flops_are_those_that_a_step_executes():
    trainer = small_trainer()
    training = trainer.training
    batch = learnable_tokens().training_batch(0, 1, training.batch_size, training.seq_len)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        trainer.backward(trainer.forward(batch))
    # As plain products, attention takes the whole square; the model counts the causal half.
    model = trainer.model.spec.model
    half = training.batch_size * training.seq_len**2 * 2 * model.dim * model.num_layers
    assert counter.get_total_flops() == model_flops(trainer) + 3 * half


def test_legacy_computes_what_the_layer_computes():
    torch.manual_seed(0)
    spec = run_spec(dim=16, drop_policy="none", capacity_factor=8.0)
    ours = MoELayer(spec, torch.ones(1)).double()
    for parameter in ours.parameters():
        torch.nn.init.normal_(parameter)
    legacy = LegacyLayer(ours)
    x_BSD = torch.randn(2, 12, 16, dtype=torch.float64, requires_grad=True)
    token_id_BS = torch.zeros(2, 12, dtype=torch.long)
    answers = []
    for layer in (ours, legacy):
        y_BSD = layer(x_BSD, token_id_BS).y_BSD
        answers.append(
            (y_BSD, *torch.autograd.grad(y_BSD.square().sum(), [x_BSD, ours.gate.weight]))
        )
    for got, wanted in zip(*answers, strict=True):
        torch.testing.assert_close(got, wanted)


def test_legacy_drops_what_comes_late_and_counts_it():
    ours = MoELayer(run_spec(dim=8, capacity_factor=0.5), torch.ones(1))
    for parameter in ours.parameters():
        torch.nn.init.normal_(parameter)
    legacy = LegacyLayer(ours)
    x_BSD = torch.randn(1, 1, 8).expand(1, 16, 8)  # equal tokens: all to the same two experts
    y_SD = legacy(x_BSD, torch.zeros(1, 16, dtype=torch.long)).y_BSD[0]
    assert [bool(y_D.any()) for y_D in y_SD] == [True] * 4 + [False] * 12
    assert legacy.statistics["drop_rate"] == legacy.statistics["unrouted_rate"] == 0.75


def test_the_account_divides_rates_by_rates_and_times_by_times():
    time_s = {"dropless": 2.0, "ours": 1.0, "legacy": 1.75, "gemm": 0.5}
    flops = {"dropless": 120, "ours": 120, "legacy": 120, "gemm": 50}
    rows = [
        Row(kind="step", spec=step_spec().model_dump(), setting={}, values=values)
        for values in (
            {"arm": arm, "time_s": s, "model_flops": flops[arm]} for arm, s in time_s.items()
        )
    ]
    text = account([rows] * 6)
    assert "utilisation 0.60 [0.60, 0.60] met (0.55)" in text
    assert "speed-up    1.75 [1.75, 1.75] met (1.70)" in text
    assert "ours      1.000 s a step,   2048 tokens/s" in text


def test_the_measured_step_is_the_one_that_was_asked_for():
    spec = step_spec()
    assert spec.training.seq_len * spec.training.batch_size == 2048
    assert (spec.model.dim, spec.model.num_layers, spec.model.num_experts) == (256, 4, 8)


def test_on_a_gpu_the_step_is_the_published_one_and_no_target_is_set():
    spec = step_spec(device="cuda")
    assert (spec.training.batch_size, spec.training.dtype) == (128, "bfloat16")
    row = Row(kind="step", spec=spec.model_dump(), setting={}, values={"time_s": 0.5})
    arms = ("dropless", "ours", "legacy", "gemm")
    rows = [replace(row, values=row.values | {"arm": arm, "model_flops": 80}) for arm in arms]
    text = account([rows] * 6)
    assert "65536 tokens/s" in text
    assert "met" not in text.lower()


@pytest.mark.gpu
def test_a_training_step_is_measured_on_a_gpu():
    *_, last = measure_step(1, 6, "cuda")
    assert {row.values["arm"] for row in last} == {"dropless", "ours", "legacy", "gemm"}
    assert all(row.values["time_s"] > 0 for row in last)


def test_more_threads_than_cores_are_refused():
    with pytest.raises(MachineError, match="--threads: .* threads are more than"):
        next(measure_step(num_cores() + 1, 6))
