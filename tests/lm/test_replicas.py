"""A step of several ranks is the step of one process; ranks are threads here, in float64."""

import pytest
import torch
from torch import nn

from moebench import registry
from moebench.lm.replicas import BatchDropout, Replicas, agreed
from moebench.lm.timing import timed_step
from moebench.lm.trainer import Trainer
from moebench.parallel.communicators.base import Alone
from moebench.routers.base import Router
from moebench.setting import prepare
from tests.distributed.threads import run_ranks
from tests.lm.texts import learnable_tokens
from tests.specs import run_spec

TOKENS = learnable_tokens(num_train=400, num_validation=64)
SETTING = prepare("cpu", "float32", 1)
ROUTERS = registry.names("routers")
CARRIES = [name for name in ROUTERS if "learn_from" in vars(registry.load(Router, name))]
# Auxiliary losses that weigh as much as the task, so that a wrong gradient of theirs shows.
WEIGHTY = {"balance_coef": 1.0, "z_coef": 0.1, "batch_size": 4, "seq_len": 16}
NUM_STEPS = 2  # what a router has learnt in the first decides in the second

# In float64 sums over ranks differ in the last of 16 digits; AdamW divides by a root of squares,
# beside 1e-8, and so makes 1e-9 of 1e-17.
EXACT = {"rtol": 1e-9, "atol": 1e-12}
AFTER_ADAMW = {"rtol": 1e-6, "atol": 1e-9}


def spec_of(router, ranks=1, *, options=None, training=None, **model):
    small = {"num_layers": 1, "capacity_factor": 0.75} | model
    return run_spec(
        router,
        options=options,
        training=WEIGHTY | {"ranks": ranks} | (training or {}),
        **small,
    )


def take_steps(spec, communicator=None, num_windows=4):
    """Losses of each step, and the gradients and the state after the last one."""
    trainer = Trainer(spec, TOKENS, SETTING, communicator)
    trainer.model.double()
    losses = []
    for step in range(1, NUM_STEPS + 1):
        trainer.begin(step)
        loss = trainer.forward(TOKENS.training_batch(0, step, num_windows, 16))
        trainer.backward(loss)
        gradients = {
            name: None if each.grad is None else each.grad.clone()
            for name, each in trainer.model.named_parameters()
        }
        losses.append([loss.task, trainer.update()])
    return torch.tensor(losses), gradients, trainer.state()["model"]


@pytest.fixture
def equal_noise(monkeypatch):
    """Noise that depends on its shape alone, for ranks that are threads share one generator."""
    for name in ("randn_like", "rand_like"):
        draw = getattr(torch, name.removesuffix("_like"))
        monkeypatch.setattr(
            torch,
            name,
            lambda x, draw=draw: draw(x.shape, generator=torch.Generator().manual_seed(0)).to(x),
        )


def assert_equal_steps(one, several):
    for losses, gradients, state in several:
        torch.testing.assert_close(losses, one[0], **EXACT)
        assert gradients.keys() == one[1].keys()
        for name, wanted in one[1].items():
            if wanted is None:
                assert gradients[name] is None, name
            else:
                torch.testing.assert_close(gradients[name], wanted, **EXACT, msg=name)
        for name, wanted in one[2].items():
            torch.testing.assert_close(state[name], wanted, **AFTER_ADAMW, msg=name)
    for _, _, state in several[1:]:
        for name, wanted in several[0][2].items():
            assert torch.equal(state[name], wanted), f"{name} differs between ranks"


def check(router, ranks, **settings):
    one = take_steps(spec_of(router, **settings))
    several = run_ranks(ranks, lambda group: take_steps(spec_of(router, ranks, **settings), group))
    assert_equal_steps(one, several)


@pytest.mark.parametrize("router", ROUTERS)
def test_two_ranks_take_the_step_of_one_process_whatever_the_router(router, equal_noise):
    check(router, 2)


@pytest.mark.parametrize(
    "model",
    [
        {"drop_policy": "gate"},
        {"drop_policy": "none"},
        {"pool": "sequence"},
        {"dispatch": "reference", "num_experts": 16, "drop_policy": "none", "top_k": 1},
        {"num_shared_experts": 1, "expert_granularity": 2},
    ],
    ids=str,
)
def test_four_ranks_take_the_step_of_one_process_whatever_is_dropped(model):
    check("softk", 4, **model)


def test_a_balance_loss_of_each_window_is_that_of_one_process():
    check("softk", 4, training={"balance_scope": "sequence"})


@pytest.mark.parametrize("router", ["dense", "dense_total"])
def test_ranks_of_a_dense_network_take_the_step_of_one_process(router):
    check(router, 4)


def test_in_the_scope_of_a_rank_capacity_is_its_own_and_the_loss_another():
    own = {"routing_scope": "rank"}
    one = take_steps(spec_of("softk"))
    several = run_ranks(2, lambda group: take_steps(spec_of("softk", 2, training=own), group))
    assert not torch.allclose(several[0][0], one[0], rtol=1e-4)
    for name, wanted in several[0][2].items():
        assert torch.equal(several[1][2][name], wanted), name


@pytest.mark.parametrize("router", CARRIES)
def test_in_the_scope_of_a_rank_routers_still_learn_from_all_of_them(router):
    own = {"routing_scope": "rank"}
    states = run_ranks(2, lambda group: take_steps(spec_of(router, 2, training=own), group)[2])
    learnt = [name for name in states[0] if ".router." in name]
    assert learnt
    for name in learnt:
        assert torch.equal(states[0][name], states[1][name]), name


@pytest.mark.parametrize("scope", ["global", "rank"])
def test_a_router_learns_from_every_token_once_whoever_sees_it(scope):
    own = {"routing_scope": scope}
    seen = []

    def load(group):
        trainer = Trainer(spec_of("loss_free", 2, training=own), TOKENS, SETTING, group)
        trainer.begin(1)
        trainer.backward(trainer.forward(TOKENS.training_batch(0, 1, 4, 16)))
        router = trainer.model.moe_layers()[0].router
        router.learn_from = lambda totals: seen.append(totals["load_E"].sum().item())
        trainer.update()

    run_ranks(2, load)
    assert seen == [4 * 16 * 2] * 2


@pytest.mark.parametrize("world_size", [1, 2, 4])
def test_dropout_of_all_ranks_is_that_of_one_process(world_size):
    x_BSD = torch.randn(4, 3, 5)
    torch.manual_seed(7)
    wanted = nn.Dropout(0.3)(x_BSD)
    parts = []
    for rank, own in enumerate(x_BSD.chunk(world_size)):
        torch.manual_seed(7)
        parts.append(BatchDropout(0.3, rank, world_size)(own))
    assert torch.equal(torch.cat(parts), wanted)
    dropout = BatchDropout(0.3, 0, 1).eval()
    assert dropout(x_BSD) is x_BSD


def test_windows_of_ranks_are_the_batch_in_order():
    batch = TOKENS.training_batch(0, 1, 4, 16)
    parts = run_ranks(2, lambda group: Replicas(group, "global").own(batch))
    for place in (0, 1):
        assert torch.equal(torch.cat([part[place] for part in parts]), batch[place])


def test_ranks_that_draw_for_themselves_draw_unlike_each_other():
    alike = run_ranks(2, lambda group: Replicas(group, "global").seed(5))
    apart = run_ranks(2, lambda group: Replicas(group, "rank").seed(5))
    assert alike == [5, 5]
    assert apart[0] == 5 != apart[1]


def test_what_the_first_rank_knows_all_are_told():
    known = {"step": 3, "weights": torch.arange(4.0)}

    def told(group):
        return Replicas(group, "global").told(known if group.rank == 0 else None)

    for thing in run_ranks(3, told):
        assert thing["step"] == 3
        assert torch.equal(thing["weights"], known["weights"])
    assert run_ranks(2, lambda group: Replicas(group, "global").told(None)) == [None, None]


def test_one_rank_that_is_to_end_ends_all():
    assert run_ranks(3, lambda group: Replicas(group, "global").any(group.rank == 1)) == [True] * 3
    assert run_ranks(2, lambda group: Replicas(group, "global").any(False)) == [False] * 2


def test_ranks_agree_on_the_number_type_of_the_first():
    def dtype(group):
        own = prepare("cpu", "float32" if group.rank else "bfloat16", 1)
        return agreed(own, group).dtype

    assert run_ranks(2, dtype) == [torch.bfloat16] * 2


def test_tokens_of_all_ranks_count_once_and_the_slowest_rank_gives_the_time():
    ticks = {0: [0.0, 1.0, 3.0, 3.5], 1: [10.0, 12.0, 13.0, 14.0]}

    def timed(group):
        trainer = Trainer(spec_of("softk", 2), TOKENS, SETTING, group)
        return timed_step(trainer, TOKENS, 1, iter(ticks[group.rank]).__next__)

    for values in run_ranks(2, timed):
        assert values["train_tokens"] == 4 * 16
        assert values["train_time_s"] == 4.0
        assert (values["forward_s"], values["backward_s"], values["optimiser_s"]) == (2, 1, 1)
        assert values["train_tokens_per_s"] == 4 * 16 / 4.0


def test_alone_nothing_is_sent_or_replaced():
    trainer = Trainer(spec_of("softk", dropout=0.1), TOKENS, SETTING)
    assert isinstance(trainer.replicas.communicator, Alone)
    assert isinstance(trainer.model.blocks[0].dropout, nn.Dropout)
    assert trainer.model.moe_layers()[0].spread is None
    batch = TOKENS.training_batch(0, 1, 4, 16)
    assert trainer.replicas.own(batch) is batch
    trainer.begin(1)
    trainer.backward(trainer.forward(batch))
    trainer.update()
    assert not trainer.replicas.communicator.trace.sent
