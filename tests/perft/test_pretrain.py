import math

import pytest
import torch

from moebench.perft import loop
from moebench.perft.base_model import identify, load_base
from moebench.perft.pretrain import Pretrainer, pretrain, save_model
from moebench.setting import prepare
from moebench.spec.adapters import BaseModelSpec, PretrainingRunSpec
from moebench.spec.runs import TextTrainingSpec
from tests.lm.texts import learnable_tokens
from tests.perft.tiny import as_numbers

SETTING = prepare("cpu", "float32", 1)


def pretraining(seed=0, **training):
    usual = {
        "seq_len": 16,
        "batch_size": 4,
        "num_steps": 12,
        "warmup_steps": 2,
        "learning_rate": 1e-2,
        "eval_every": 6,
        "checkpoint_every": 4,
        "dtype": "float32",
        "device": "cpu",
    }
    return PretrainingRunSpec(
        corpus="made",
        tokenizer="char",
        seed=seed,
        model=BaseModelSpec(hidden_size=16, num_heads=2, num_experts=4, expert_width=16),
        training=TextTrainingSpec(**usual | training),
    )


def pretrained(folder, spec=None):
    checkpoint = folder / "checkpoint.pt"
    return pretrain(spec or pretraining(), learnable_tokens(), folder / "base", checkpoint, "test")


def test_the_saved_base_is_a_mixture_that_scores_as_it_did_when_saved(tmp_path):
    rows = pretrained(tmp_path)
    base = load_base(tmp_path / "base", SETTING)
    assert (base.shape.num_experts, base.shape.top_k, base.num_layers) == (4, 2, 2)
    learner = Pretrainer(pretraining(), learnable_tokens(), SETTING)
    learner.model = base.model
    assert learner.score()["val_nll_nats"] == pytest.approx(rows[-1].values["val_nll_nats"])
    assert rows[-1].values["num_params"] == base.num_params
    assert [row.kind for row in rows].count("train_step") == 12
    assert [row.values["step"] for row in rows if row.kind == "validation"] == [0, 6, 12]
    assert not (tmp_path / "checkpoint.pt").exists()
    assert {file.name for file in (tmp_path / "base").iterdir()} == {
        "config.json",
        "generation_config.json",
        "model.safetensors",
    }


@pytest.mark.slow
def test_a_base_learns_more_than_letter_frequencies_and_its_routers_stay_balanced(tmp_path):
    rows = pretrained(tmp_path, pretraining(num_steps=60, eval_every=60))
    assert rows[-1].values["val_nll_nats"] < 0.8 * math.log(4)
    steps = [row.values for row in rows if row.kind == "train_step"]
    assert steps[-1]["balance_loss"] == pytest.approx(2, abs=0.4)  # top_k where balanced


def test_the_balance_loss_trains_the_routers():
    learner = Pretrainer(pretraining(balance_coef=5.0), learnable_tokens(), SETTING)
    plain = Pretrainer(pretraining(balance_coef=0.0), learnable_tokens(), SETTING)
    for each in (learner, plain):
        each.step(1)
    gates = [each.model.model.layers[0].mlp.gate.weight for each in (learner, plain)]
    assert not torch.equal(*gates)


@pytest.mark.slow
def test_a_base_that_was_killed_and_run_again_is_the_same(tmp_path, monkeypatch):
    class Power(Exception):
        pass

    save = loop._save

    def save_and_fail(learner, progress, plan):
        save(learner, progress, plan)
        if progress.step == 8:
            raise Power

    undisturbed = pretrained(tmp_path / "a")
    monkeypatch.setattr(loop, "_save", save_and_fail)
    with pytest.raises(Power):
        pretrained(tmp_path / "b")
    monkeypatch.setattr(loop, "_save", save)
    assert not (tmp_path / "b" / "base").exists()
    assert as_numbers(pretrained(tmp_path / "b")) == as_numbers(undisturbed)
    assert identify(tmp_path / "a" / "base") == identify(tmp_path / "b" / "base")


def test_a_save_that_is_stopped_leaves_no_folder_that_looks_finished(tmp_path, monkeypatch):
    pretrained(tmp_path)

    class Power(Exception):
        pass

    def fail(self, target):
        raise Power

    monkeypatch.setattr("pathlib.PosixPath.replace", fail)
    learner = Pretrainer(pretraining(), learnable_tokens(), SETTING)

    with pytest.raises(Power):
        save_model(learner.model, tmp_path / "base")
    with pytest.raises(ValueError, match="holds no config.json"):
        load_base(tmp_path / "base", SETTING)


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"top_k": 9}, r"top_k=9 must be in 1\.\.num_experts=8"),
        ({"expert_width": 100}, "expert_width=100 must be a multiple of 8"),
        ({"hidden_size": 20}, "hidden_size=20 must be a multiple of twice num_heads=4"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(given, complaint):
    with pytest.raises(ValueError, match=complaint):
        BaseModelSpec(**given)
