"""What routers carry from step to step: saved, frozen when scoring, learnt once per step."""

import copy

import pytest
import torch

from moebench import registry
from moebench.lm import train as train_module
from moebench.lm.evaluate import score
from moebench.lm.train import train
from moebench.lm.trainer import Trainer
from moebench.routers.base import Router, RouterSetting
from moebench.setting import prepare
from tests.lm.test_train import numbers
from tests.lm.texts import VOCAB_SIZE, learnable_tokens
from tests.specs import run_spec

ROUTERS = registry.names("routers")
every_router = pytest.mark.parametrize("name", ROUTERS)
# Something from step to step:
carries = [name for name in ROUTERS if "learn_from" in vars(registry.load(Router, name))]
noisy = [name for name in ROUTERS if registry.load(Router, name).noisy]
SHORT = {"num_steps": 6, "eval_every": 6, "checkpoint_every": 3, "batch_size": 2, "warmup_steps": 1}


TOKENS = learnable_tokens(num_train=400, num_validation=64)


def make_trainer(name):
    return Trainer(run_spec(name, num_layers=1), TOKENS, prepare("cpu", "float32", 1))


def take_step(trainer, step):
    trainer.backward(trainer.forward(TOKENS.training_batch(0, step, 4, 16)))
    trainer.update()


def state_of(trainer):
    return {
        name: value.clone()
        for layer in trainer.model.moe_layers()
        for name, value in layer.router.state_dict(prefix=f"{id(layer)}.").items()
    }


def differ(first, second):
    return {name for name in first if not torch.equal(first[name], second[name])}


@every_router
def test_only_an_optimiser_step_in_training_changes_what_a_router_carries(name):
    trainer = make_trainer(name)
    start = state_of(trainer)
    score(trainer.model, TOKENS, trainer.setting, batch_size=4)
    for layer in trainer.model.moe_layers():
        layer.router.adapt()
    assert not differ(start, state_of(trainer)), "scoring leaves no trace"

    trainer.begin(1)
    loss = trainer.forward(TOKENS.training_batch(0, 1, 4, 16))
    assert not differ(start, state_of(trainer)), "forward only reads"
    trainer.backward(loss)
    trainer.update()
    assert bool(differ(start, state_of(trainer))) == (name in carries)


@pytest.mark.parametrize("name", carries)
def test_all_that_a_router_carries_is_in_the_checkpoint(name):
    trained, fresh = make_trainer(name), make_trainer(name)
    for step in (1, 2):
        trained.begin(step)
        take_step(trained, step)
    fresh.restore(copy.deepcopy(trained.state()))  # a file shares no tensors
    for trainer in (trained, fresh):
        trainer.begin(3)
        take_step(trainer, 3)
    states = [trainer.state()["model"] for trainer in (trained, fresh)]
    assert not differ(*states)


@pytest.mark.parametrize("name", carries)
def test_a_batch_in_two_parts_teaches_what_the_whole_one_does(name):
    """Totals of a step, not those of its last forward pass; quantiles are means over parts."""
    whole, parts = (
        registry.load(Router, name)(
            RouterSetting(num_experts=4, top_k=2, token_count_V=torch.ones(VOCAB_SIZE))
        )
        for _ in range(2)
    )
    logits_TG, ids_BS = torch.randn(64, whole.num_logits), torch.zeros(4, 16, dtype=torch.long)
    for router, batches in ((whole, [logits_TG.repeat(2, 1)]), (parts, [logits_TG, logits_TG])):
        for batch in batches:
            router(batch, ids_BS.repeat(len(batch) // 64, 1), 64)
        router.adapt()
    for one, other in zip(whole.state_dict().values(), parts.state_dict().values(), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*carries, *noisy])
def test_a_run_that_stopped_goes_on_to_bit_identical_losses_whatever_its_router_carries(
    name, tmp_path, monkeypatch
):
    spec = run_spec(name, num_layers=1, training=SHORT)
    undisturbed = train(spec, TOKENS, tmp_path / "a.pt", code="test")

    class PowerCut(Exception):
        pass

    save = train_module._save

    def save_and_fail(trainer, progress, *rest):
        save(trainer, progress, *rest)
        raise PowerCut

    monkeypatch.setattr(train_module, "_save", save_and_fail)
    with pytest.raises(PowerCut):
        train(spec, TOKENS, tmp_path / "b.pt", code="test")
    monkeypatch.setattr(train_module, "_save", save)
    torch.manual_seed(99)  # as another process would have it
    resumed = train(spec, TOKENS, tmp_path / "b.pt", code="test")
    assert numbers(resumed) == numbers(undisturbed)


@every_router
def test_a_held_out_score_is_the_same_twice_and_says_how_many_experts_a_token_asked_for(name):
    trainer = make_trainer(name)
    first, second = (score(trainer.model, TOKENS, trainer.setting, batch_size=4) for _ in range(2))
    assert first == second
    k = first["effective_k"]
    assert [k] == first["effective_k_L"]
    assert sum(first["load_routed_LE"][0]) / 64 == pytest.approx(k)
    router = trainer.model.moe_layers()[0].router
    assert not router.fixed_k or k == router.top_k
