"""Experts spread over ranks: the step of one process, and its checkpoint; ranks are threads."""

import copy

import pytest
import torch

from moebench.lm.shards import Exchanged
from moebench.lm.trainer import Trainer
from tests.distributed.threads import run_ranks
from tests.lm.test_replicas import AFTER_ADAMW, EXACT, SETTING, TOKENS, spec_of, take_steps

EXPERT = {"layout": "expert", "batch_size": 8}


def trainer_of(spec, group=None):
    trainer = Trainer(spec, TOKENS, SETTING, group)
    trainer.model.double()
    return trainer


def take_step(trainer, step):
    """Loss and norm of one step."""
    trainer.begin(step)
    loss = trainer.forward(TOKENS.training_batch(0, step, 8, 16))
    trainer.backward(loss)
    return [loss.task.item(), trainer.update().item()]


@pytest.mark.parametrize(
    ("router", "ranks", "model"),
    [
        ("softk", 2, {}),
        ("softk", 4, {"drop_policy": "gate"}),
        ("softk", 2, {"num_experts": 3, "drop_policy": "none"}),
        ("topk_hard", 8, {"num_shared_experts": 1}),
        ("expert_choice", 4, {}),
        ("hash", 2, {"num_layers": 2}),
        ("softk", 2, {"dispatch": "reference"}),
    ],
)
def test_ranks_that_hold_some_experts_take_the_step_of_one_process(router, ranks, model):
    one = take_steps(spec_of(router, training=EXPERT, **model), num_windows=8)

    def steps(group):
        spec = spec_of(router, ranks, training=EXPERT, **model)
        return take_steps(spec, group, num_windows=8)

    several = run_ranks(ranks, steps)
    for losses, _, _ in several:
        torch.testing.assert_close(losses, one[0], **EXACT)
    for name, wanted in one[1].items():
        found = [gradients[name] for _, gradients, _ in several]
        own = [gradient for gradient in found if gradient is not None]
        if ".experts." in name:
            assert len(own) == 1, f"{name} is on one rank alone"
        elif wanted is not None:
            assert len(own) == ranks
        for gradient in own:
            torch.testing.assert_close(gradient, wanted, **EXACT, msg=name)
    assert several[0][2].keys() == one[2].keys()
    for name, wanted in one[2].items():
        torch.testing.assert_close(several[0][2][name], wanted, **AFTER_ADAMW, msg=name)


def test_every_matrix_of_an_expert_lies_on_one_rank_with_what_adamw_keeps_of_it():
    def held(group):
        trainer = trainer_of(spec_of("softk", 2, training=EXPERT, num_layers=2), group)
        take_step(trainer, 1)
        trainer.state()  # which the first rank has all of, for a moment
        experts = [
            parameter for name, parameter in trainer.model.named_parameters() if ".experts." in name
        ]
        states = [trainer.optimiser.state[each] for each in experts if each.numel()]
        assert all(set(state) == {"exp_avg", "exp_avg_sq", "step"} for state in states)
        assert not [each for each in experts if not each.numel() and trainer.optimiser.state[each]]
        return sum(each.numel() for each in experts), len(experts)

    sizes = run_ranks(2, held)
    assert sizes == [(2 * 2 * 2 * 8 * 32, 2 * 2 * 4)] * 2


@pytest.mark.parametrize("resumed_ranks", [1, 2, 4])
def test_a_checkpoint_of_spread_experts_is_that_of_one_process(resumed_ranks):
    def two_steps(group=None, ranks=1):
        trainer = trainer_of(spec_of("softk", ranks, training=EXPERT), group)
        losses = [take_step(trainer, step) for step in (1, 2)]
        return copy.deepcopy(trainer.state()), losses, take_step(trainer, 3)

    state, _, third = two_steps()
    several = run_ranks(2, lambda group: two_steps(group, 2))
    saved = several[0][0]

    def go_on(group=None):
        trainer = trainer_of(spec_of("softk", resumed_ranks, training=EXPERT), group)
        trainer.restore(copy.deepcopy(saved))
        return take_step(trainer, 3)

    assert saved["optimiser"]["state"].keys() == state["optimiser"]["state"].keys()
    found = [go_on()] if resumed_ranks == 1 else run_ranks(resumed_ranks, go_on)
    for losses in [*found, several[0][2]]:
        torch.testing.assert_close(torch.tensor(losses), torch.tensor(third), **AFTER_ADAMW)


def test_the_first_rank_scores_alone_with_all_experts():
    def scored(group):
        trainer = trainer_of(spec_of("softk", 2, training=EXPERT), group)
        take_step(trainer, 1)
        input_BS, _ = TOKENS.training_batch(0, 2, 8, 16)
        layer = trainer.model.moe_layers()[0]
        with trainer.shards.whole():
            assert not isinstance(layer.dispatch, Exchanged)
            trainer.model.eval()
            logits = trainer.model(input_BS).logits_BSV if group.rank == 0 else None
        assert isinstance(layer.dispatch, Exchanged)
        return logits, trainer.model.num_params()

    (logits, num_here), (nothing, _) = run_ranks(2, scored)
    assert nothing is None
    one = trainer_of(spec_of("softk", training=EXPERT))
    take_step(one, 1)
    one.model.eval()
    wanted = one.model(TOKENS.training_batch(0, 2, 8, 16)[0]).logits_BSV
    torch.testing.assert_close(logits, wanted, **AFTER_ADAMW)
    assert num_here == one.model.num_params() - 2 * 2 * 8 * 32
