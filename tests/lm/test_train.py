import dataclasses
import math
import multiprocessing
import os
import signal
import time

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from moebench.lm import train as train_module
from moebench.lm.evaluate import score
from moebench.lm.model import LanguageModel
from moebench.lm.train import train
from moebench.lm.trainer import Trainer, learning_rate
from moebench.setting import prepare
from moebench.spec import BASELINES
from moebench.termination import Terminated
from tests.lm.texts import VOCAB_SIZE, learnable_tokens
from tests.specs import run_spec

ARMS = ["top1", "topk_hard", "softk", "hash", "expert_choice", *BASELINES]


def numbers(rows):
    """All that a run read, but for what depends on the day and the machine."""
    volatile = ("wall_s", "peak_resident_bytes", "peak_allocated_bytes")
    return [
        (row.kind, {key: value for key, value in row.values.items() if key not in volatile})
        for row in rows
    ]


@pytest.mark.slow
@pytest.mark.parametrize("router", ARMS)
def test_every_arm_learns_more_than_letter_frequencies(router, tmp_path):
    spec = run_spec(
        router, dim=16, training={"num_steps": 60, "learning_rate": 1e-2, "eval_every": 60}
    )
    rows = train(spec, learnable_tokens(), tmp_path / "checkpoint.pt", code="test")
    final = rows[-1].values
    assert final["val_nll_nats"] < 0.8 * math.log(4)
    assert final["val_ppl"] == pytest.approx(math.exp(final["val_nll_nats"]))
    assert final["val_num_tokens"] == 700
    assert [row.kind for row in rows].count("train_step") == 60
    assert not (tmp_path / "checkpoint.pt").exists()


def test_a_run_that_stopped_goes_on_to_bit_identical_losses(tmp_path, monkeypatch):
    spec = run_spec(training={"checkpoint_every": 5}, dropout=0.1)
    undisturbed = train(spec, learnable_tokens(), tmp_path / "a.pt", code="test")

    class Power(Exception):
        pass

    save = train_module._save

    def save_and_fail(trainer, progress, *rest):
        save(trainer, progress, *rest)
        if progress.step == 5:
            raise Power

    monkeypatch.setattr(train_module, "_save", save_and_fail)
    with pytest.raises(Power):
        train(spec, learnable_tokens(), tmp_path / "b.pt", code="test")
    monkeypatch.setattr(train_module, "_save", save)
    resumed = train(spec, learnable_tokens(), tmp_path / "b.pt", code="test")
    assert numbers(resumed) == numbers(undisturbed)


def test_a_run_that_is_asked_to_end_keeps_its_last_step_and_goes_on_identically(
    tmp_path, monkeypatch, capsys
):
    spec = run_spec(training={"checkpoint_every": 1000}, dropout=0.1)
    undisturbed = train(spec, learnable_tokens(), tmp_path / "a.pt", code="test")
    begin = Trainer.begin

    def begin_and_ask(trainer, step):
        if step == 7:
            os.kill(os.getpid(), signal.SIGTERM)
        return begin(trainer, step)

    monkeypatch.setattr(Trainer, "begin", begin_and_ask)
    with pytest.raises(Terminated, match="after step 7 of .* goes on from there"):
        train(spec, learnable_tokens(), tmp_path / "b.pt", code="test")
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    monkeypatch.setattr(Trainer, "begin", begin)
    resumed = train(spec, learnable_tokens(), tmp_path / "b.pt", code="test")
    assert "going on after step 7" in capsys.readouterr().out
    assert numbers(resumed) == numbers(undisturbed)


def _train_in_process(folder):
    torch.set_num_threads(1)
    spec = run_spec(training={"checkpoint_every": 5, "num_steps": 400, "eval_every": 200})
    rows = train(spec, learnable_tokens(), folder / "checkpoint.pt", code="test")
    torch.save(numbers(rows), folder / "rows.pt")


@pytest.mark.slow
def test_a_run_killed_at_random_moments_ends_with_bit_identical_losses(tmp_path):
    context = multiprocessing.get_context("spawn")
    disturbed, undisturbed = tmp_path / "disturbed", tmp_path / "undisturbed"
    disturbed.mkdir()
    undisturbed.mkdir()
    _train_in_process(undisturbed)
    kills = 0
    while not (disturbed / "rows.pt").exists():
        process = context.Process(target=_train_in_process, args=(disturbed,))
        process.start()
        while process.is_alive() and not (disturbed / "checkpoint.pt").exists():
            time.sleep(0.01)
        if kills < 3:
            time.sleep(0.13 * (kills + 1))
            if process.is_alive():
                os.kill(process.pid, signal.SIGKILL)
                kills += 1
        process.join()
    assert kills > 0
    assert torch.load(disturbed / "rows.pt") == torch.load(undisturbed / "rows.pt")


@pytest.mark.slow
@pytest.mark.parametrize("change", ["code", "spec", "text", "tokenizer"])
def test_a_checkpoint_of_another_run_is_not_gone_on_from(change, tmp_path, capsys):
    spec, tokens, code = run_spec(training={"checkpoint_every": 5}), learnable_tokens(), "test"
    setting = prepare("cpu", "float32", 1)
    identity = train_module._identity(spec, setting.facts(code, **tokens.digests()))
    stale = train_module.Progress(step=5, readings=[("train_step", {"step": 99})])
    train_module._save(Trainer(spec, tokens, setting), stale, tmp_path / "c.pt", identity)
    if change == "code":
        code = "changed"
    elif change == "spec":
        spec = run_spec(training={"checkpoint_every": 5, "learning_rate": 1e-3})
    else:
        name = {"text": "corpus_sha256", "tokenizer": "tokenizer_sha256"}[change]
        tokens = dataclasses.replace(tokens, **{name: "1" * 64})
    rows = train(spec, tokens, tmp_path / "c.pt", code=code)
    assert rows[0].values["step"] == 1
    assert "starting from step 1" in capsys.readouterr().out


def test_arms_of_one_seed_begin_with_equal_shared_tensors():
    models = [LanguageModel(run_spec(arm), VOCAB_SIZE, torch.ones(VOCAB_SIZE)) for arm in ARMS]
    first = dict(models[0].named_parameters())
    for model in models[1:]:
        for name, parameter in model.named_parameters():
            if name in first and first[name].shape == parameter.shape:
                assert torch.equal(parameter, first[name]), name
    other = LanguageModel(run_spec(ARMS[0], seed=1), VOCAB_SIZE, torch.ones(VOCAB_SIZE))
    assert not torch.equal(other.head.weight, models[0].head.weight)


def test_initial_weights_have_the_scale_of_their_fan_in():
    spec = run_spec("softk", dim=64, num_heads=2)
    model = LanguageModel(spec, VOCAB_SIZE, torch.ones(VOCAB_SIZE))
    experts = model.blocks[0].ffn.experts
    assert experts.w_in[0].std().item() == pytest.approx(64**-0.5, rel=0.05)
    assert experts.w_out[3].std().item() == pytest.approx((256 * 4) ** -0.5, rel=0.05)


@pytest.mark.parametrize(("arm", "experts"), [("top1", 1), ("softk", 2), ("dense", 2)])
def test_active_parameters_are_those_that_one_token_meets(arm, experts):
    model = LanguageModel(run_spec(arm), VOCAB_SIZE, torch.ones(VOCAB_SIZE))
    D, F, L = 8, 32, 2
    shared = 2 * VOCAB_SIZE * D + L * 4 * D * D + (2 * L + 1) * D
    gates = L * 4 * D if arm != "dense" else 0
    assert model.num_active_params() == shared + gates + L * experts * 2 * D * F


def test_flops_by_formula_are_those_that_torch_counts():
    spec = run_spec("dense", dim=64, training={"seq_len": 32})
    model = LanguageModel(spec, VOCAB_SIZE, torch.ones(VOCAB_SIZE))
    ids = torch.randint(VOCAB_SIZE, (2, 32))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(ids)
    attention_unmasked = 2 * 2 * 32 * 64  # torch counts the masked half as well
    matrices = counter.get_total_flops() - counter.get_flop_counts()["Global"].get(
        torch.ops.aten._scaled_dot_product_flash_attention_for_cpu, 0
    )
    assert matrices / ids.numel() + attention_unmasked == model.flops_per_token()


def test_learning_rate_warms_up_peaks_and_falls_to_nearly_nothing():
    training = run_spec(training={"num_steps": 100, "warmup_steps": 10}).training
    rates = [learning_rate(training, step) for step in range(1, 101)]
    assert rates[0] == pytest.approx(training.learning_rate / 10)
    assert max(rates) == rates[9] == training.learning_rate
    assert all(later < sooner for sooner, later in zip(rates[9:], rates[10:], strict=False))
    assert 0 < rates[-1] < 0.001 * training.learning_rate


def test_the_score_does_not_depend_on_training_mode_or_order_of_calls():
    spec, tokens = run_spec(dropout=0.5), learnable_tokens()
    setting = prepare("cpu", "float32", 1)
    model = Trainer(spec, tokens, setting).model
    model.train()
    first, second = (score(model, tokens, setting, batch_size=4) for _ in range(2))
    assert first == second


def test_bits_per_byte_charges_all_nats_to_all_bytes():
    spec = run_spec()
    tokens = dataclasses.replace(learnable_tokens(), num_validation_bytes=1400)
    values = score(
        Trainer(spec, tokens, prepare("cpu", "float32", 1)).model,
        tokens,
        prepare("cpu", "float32", 1),
        batch_size=4,
    )
    assert values["val_bits_per_byte"] == pytest.approx(
        values["val_nll_nats"] * 700 / 1400 / math.log(2)
    )


def test_losses_of_documents_are_those_of_their_tokens_and_weighed_together_the_loss_of_all():
    spec, tokens = run_spec("dense"), learnable_tokens(num_validation=703)
    tokens.validation_N[[0, 99, 300, 702]] = tokens.end_of_document
    setting = prepare("cpu", "float32", 1)
    model = Trainer(spec, tokens, setting).model
    values = score(model, tokens, setting, batch_size=4)
    size_K, nll_K = values["val_document_tokens"], values["val_nll_document_nats"]
    assert size_K == [1, 99, 201, 402]
    weighed = sum(size * nll for size, nll in zip(size_K, nll_K, strict=True)) / 703
    assert weighed == pytest.approx(values["val_nll_nats"])
    seq_len, first = spec.training.seq_len, torch.tensor([tokens.end_of_document])
    given_N = torch.cat([first, tokens.validation_N[:-1]])
    with torch.no_grad():
        nll_N = torch.cat(
            [
                torch.nn.functional.cross_entropy(
                    model(given[None]).logits_BSV[0], target, reduction="none"
                )
                for given, target in zip(
                    given_N.split(seq_len), tokens.validation_N.split(seq_len), strict=True
                )
            ]
        )
    assert nll_K == pytest.approx([part.mean().item() for part in nll_N.split(size_K)], rel=1e-4)


def test_routing_statistics_are_those_counted_by_hand():
    spec = run_spec("hash", capacity_factor=1.0, training={"seq_len": 50, "batch_size": 14})
    tokens = learnable_tokens(num_validation=700)
    trainer = Trainer(spec, tokens, prepare("cpu", "float32", 1))
    values = score(trainer.model, tokens, trainer.setting, batch_size=14)
    table_VK = trainer.model.moe_layers()[0].router.expert_VK
    [(input_BS, _)] = tokens.validation_batches(14, 50)
    wanted_E = torch.bincount(table_VK[input_BS.flatten()].flatten(), minlength=4)
    kept_E = wanted_E.clamp(max=350)
    assert values["load_routed_LE"][0] == wanted_E.tolist()
    assert values["load_LE"][0] == kept_E.tolist()
    assert values["drop_rate"] == pytest.approx(1 - kept_E.sum().item() / 1400)
    assert values["gate_entropy_nats"] is None


def test_divergence_is_an_error_and_not_a_number():
    spec, tokens = run_spec(), learnable_tokens()
    setting = prepare("cpu", "float32", 1)
    model = Trainer(spec, tokens, setting).model
    with torch.no_grad():
        model.head.weight.fill_(float("nan"))
    with pytest.raises(ValueError, match="lower training.learning_rate"):
        score(model, tokens, setting, batch_size=4)
