import dataclasses
import math
import multiprocessing
import os
import signal
import time

import pytest
import torch

from moebench.perft import loop
from moebench.perft.adapter_file import load_adapter
from moebench.perft.base import AdaptedModel
from moebench.perft.finetune import Files, Finetuner, finetune, learning_rate
from moebench.perft.questions import collate, nll_BS
from moebench.setting import prepare
from moebench.termination import Terminated
from tests.perft.tiny import (
    as_numbers,
    every_arm,
    label,
    olmoe,
    questions,
    run_spec,
    spec_of,
    tiny_base,
)

ROUTED = {"num_adapters": 4, "top_k": 2}


def files_in(folder):
    return Files(checkpoint=folder / "checkpoint.pt", adapter=folder / "adapter.safetensors")


def answer_loss(model):
    """Mean negative log-likelihood of all answer tokens."""
    assert not model.training
    batch = collate(questions())
    counted_BS = batch.counted_BS("answers")
    nll = nll_BS(model(batch.input_BS, batch.is_token_BS).logits_BSV, batch)
    return {"answer_nll_nats": (nll[counted_BS].sum() / counted_BS.sum()).item()}


def finetuned(spec, folder, base=None):
    return finetune(spec, base or tiny_base(), questions(), answer_loss, files_in(folder), "test")


def test_rows_tell_of_steps_scores_and_costs(tmp_path):
    base = tiny_base()
    rows = finetuned(run_spec(spec_of("routed", options=ROUTED)), tmp_path, base)
    kinds = [row.kind for row in rows]
    assert kinds.count("train_step") == 12
    assert [row.values["step"] for row in rows if row.kind == "validation"] == [0, 6, 12]
    assert kinds[-1] == "final"
    untouched = answer_loss(AdaptedModel(base).eval())
    assert rows[0].values == {"step": 0} | untouched
    final = rows[-1].values
    assert final["num_trainable_params"] == 2 * (4 * 2 * 8 * 3 + 4 * 8)
    assert final["num_activated_trainable_params"] == 2 * (2 * 2 * 8 * 3 + 4 * 8)
    assert final["activated_share"] == pytest.approx(
        final["num_activated_trainable_params"] / base.num_active_params
    )
    assert final["peak_resident_bytes"] > 0
    assert rows[-1].setting["base_sha256"] == "tiny"
    step = next(row for row in rows if row.kind == "train_step").values
    assert step["step_s"] > 0
    assert step["num_tokens"] > step["num_counted_tokens"] == 8
    assert not (tmp_path / "checkpoint.pt").exists()


def test_what_is_left_in_the_file_is_what_was_scored_last(tmp_path):
    base = tiny_base()
    rows = finetuned(run_spec(), tmp_path, base)
    loaded = load_adapter(tmp_path / "adapter.safetensors", base)
    with torch.no_grad():
        assert answer_loss(loaded)["answer_nll_nats"] == rows[-1].values["answer_nll_nats"]


@pytest.mark.slow
@pytest.mark.parametrize("spec", list(every_arm()), ids=label)
def test_every_variant_lowers_the_loss_of_answers(spec, tmp_path):
    rows = finetuned(run_spec(spec, num_steps=60, eval_every=60, learning_rate=3e-2), tmp_path)
    first, last = (row.values["answer_nll_nats"] for row in rows if row.kind == "validation")
    assert last < 0.8 * first


@pytest.mark.parametrize("loss_on", ["answers", "all"])
def test_the_loss_counts_exactly_the_tokens_it_is_said_to(loss_on):
    learner = Finetuner(run_spec(loss_on=loss_on), tiny_base(), questions())
    batch = learner.batch(1)
    assert batch.is_token_BS.sum() > batch.is_answer_BS.sum()
    assert not batch.is_token_BS.all()
    losses = []
    for row in range(len(batch.input_BS)):
        counted_S = batch.is_answer_BS[row] if loss_on == "answers" else batch.is_token_BS[row]
        logits = learner.model(batch.input_BS[row : row + 1]).logits_BSV[0]
        for place in counted_S.nonzero().flatten().tolist():
            target = batch.target_BS[row, place]
            losses.append(-logits[place].log_softmax(0)[target].item())
    assert learner.forward(batch).task.item() == pytest.approx(sum(losses) / len(losses), rel=1e-5)


def test_the_balance_loss_counts_with_its_coefficient():
    spec = run_spec(spec_of("routed", options=ROUTED), balance_coef=0.5)
    learner = Finetuner(spec, tiny_base(), questions())
    loss = learner.forward(learner.batch(1))
    assert loss.balance >= 2 * 0.9  # two layers, 1 each when balanced
    assert loss.total.item() == pytest.approx((loss.task + 0.5 * loss.balance).item())


def test_learning_rate_warms_up_and_falls_in_straight_lines_to_nearly_nothing():
    training = run_spec(num_steps=100, warmup_steps=10).finetuning
    rates = [learning_rate(training, step) for step in range(1, 101)]
    assert rates[0] == pytest.approx(training.learning_rate / 10)
    assert max(rates) == rates[9] == training.learning_rate
    falls = [sooner - later for sooner, later in zip(rates[9:], rates[10:], strict=False)]
    assert falls == pytest.approx([falls[0]] * len(falls))
    assert 0 < rates[-1] < 0.02 * training.learning_rate


RESUMED = [
    spec_of("routed", options=ROUTED, dropout=0.2),
    spec_of("attention_lora", dropout=0.2),
]


@pytest.mark.slow
@pytest.mark.parametrize("spec", RESUMED, ids=label)
def test_a_run_that_stopped_goes_on_to_bit_identical_readings(spec, tmp_path, monkeypatch):
    class Power(Exception):
        pass

    undisturbed = finetuned(run_spec(spec), tmp_path / "a")
    save = loop._save

    def save_and_fail(learner, progress, plan):
        save(learner, progress, plan)
        if progress.step == 8:
            raise Power

    monkeypatch.setattr(loop, "_save", save_and_fail)
    with pytest.raises(Power):
        finetuned(run_spec(spec), tmp_path / "b")
    monkeypatch.setattr(loop, "_save", save)
    assert as_numbers(finetuned(run_spec(spec), tmp_path / "b")) == as_numbers(undisturbed)
    files = [(tmp_path / name / "adapter.safetensors").read_bytes() for name in ("a", "b")]
    assert files[0] == files[1]


def _finetune_in_process(folder):
    torch.set_num_threads(1)
    spec = run_spec(spec_of("routed", options=ROUTED, dropout=0.2), num_steps=400, eval_every=200)
    torch.save(as_numbers(finetuned(spec, folder)), folder / "rows.pt")


@pytest.mark.slow
def test_a_run_killed_at_random_moments_ends_with_bit_identical_readings(tmp_path):
    context = multiprocessing.get_context("spawn")
    disturbed, undisturbed = tmp_path / "disturbed", tmp_path / "undisturbed"
    disturbed.mkdir()
    undisturbed.mkdir()
    _finetune_in_process(undisturbed)
    kills = 0
    while not (disturbed / "rows.pt").exists():
        process = context.Process(target=_finetune_in_process, args=(disturbed,))
        process.start()
        while process.is_alive() and not (disturbed / "checkpoint.pt").exists():
            time.sleep(0.01)
        if kills < 2:
            time.sleep(0.13 * (kills + 1))
            if process.is_alive():
                os.kill(process.pid, signal.SIGKILL)
                kills += 1
        process.join()
    assert kills > 0
    assert torch.load(disturbed / "rows.pt") == torch.load(undisturbed / "rows.pt")


@pytest.mark.slow
@pytest.mark.parametrize("change", ["base", "questions", "spec", "code"])
def test_a_checkpoint_of_another_run_is_not_gone_on_from(change, tmp_path, monkeypatch, capsys):
    class Power(Exception):
        pass

    save = loop._save

    def save_and_fail(*given):
        save(*given)
        raise Power

    monkeypatch.setattr(loop, "_save", save_and_fail)
    with pytest.raises(Power):
        finetuned(run_spec(), tmp_path)
    monkeypatch.setattr(loop, "_save", save)
    assert (tmp_path / "checkpoint.pt").exists()
    base = tiny_base(identity="another" if change == "base" else "tiny")
    spec = run_spec(learning_rate=1e-3) if change == "spec" else run_spec()
    asked = questions(20 if change == "questions" else 24)
    code = "changed" if change == "code" else "test"
    rows = finetune(spec, base, asked, answer_loss, files_in(tmp_path), code)
    assert rows[1].values["step"] == 1
    assert "starting from step 1" in capsys.readouterr().out


def test_divergence_is_an_error_and_not_a_number(tmp_path):
    model = olmoe()
    with torch.no_grad():
        model.lm_head.weight.fill_(math.nan)
    with pytest.raises(ValueError, match="lower finetuning.learning_rate"):
        finetuned(run_spec(), tmp_path, tiny_base(model))


@pytest.mark.parametrize(
    ("ids", "complaint"),
    [
        (range(17), "has 17 tokens, and the cutoff is 16"),
        ([3, 20], "token id 20 is not among the 20"),
    ],
)
def test_questions_that_do_not_fit_are_refused_before_training(ids, complaint):
    strange = dataclasses.replace(questions(1)[0], ids=list(ids), num_prompt=1)
    with pytest.raises(ValueError, match=complaint):
        Finetuner(run_spec(), tiny_base(), [*questions(), strange])


class Counter(loop.Learner):
    """Learns nothing, and is asked to end in one of its steps."""

    def __init__(self, asked_at):
        self.setting = prepare("cpu", "float32", 1)
        self.asked_at = asked_at

    def step(self, step):
        if step == self.asked_at:
            os.kill(os.getpid(), signal.SIGTERM)
        return {"train_loss_nats": float(step)}

    def state(self):
        return {}

    def restore(self, state):
        pass


def test_finetuning_that_is_asked_to_end_keeps_its_last_step_and_goes_on(tmp_path, capsys):
    plan = loop.Plan(
        title="count",
        num_steps=9,
        eval_every=9,
        checkpoint_every=100,
        checkpoint=tmp_path / "checkpoint.pt",
        identity="test",
        remedy="none",
    )
    with pytest.raises(Terminated, match="after step 4 of 9"):
        loop.run(Counter(asked_at=4), plan, dict)
    progress = loop.run(Counter(asked_at=None), plan, dict)
    assert "going on after step 4" in capsys.readouterr().out
    steps = [values["step"] for kind, values in progress.readings if kind == "train_step"]
    assert steps == list(range(1, 10))
