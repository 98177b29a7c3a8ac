"""What every variant must hold. A new file in moebench/perft/adapters is found and tested."""

import hashlib

import pytest
import torch

from moebench import registry
from moebench.perft.base import AdaptedModel
from moebench.perft.base_model import layers_of
from moebench.perft.finetune import Finetuner
from moebench.spec.adapters import VARIANTS
from tests.perft import reference
from tests.perft.tiny import (
    every_arm,
    ids,
    label,
    olmoe,
    options,
    questions,
    run_spec,
    spec_of,
    stirred,
    tiny_base,
)

ARMS = list(every_arm())
each_arm = pytest.mark.parametrize("spec", ARMS, ids=label)
each_block_arm = pytest.mark.parametrize(
    "spec", [arm for arm in ARMS if arm.variant in reference.ADDED], ids=label
)


def digest(parameters):
    total = hashlib.sha256()
    for parameter in parameters:
        total.update(parameter.detach().numpy().tobytes())
    return total.hexdigest()


def test_both_router_arms_and_the_legacy_one_are_among_the_arms():
    names = {label(arm) for arm in ARMS}
    assert "routed-lora-router=trained-legacy_weighting=False" in names
    assert "routed-lora-router=frozen-legacy_weighting=False" in names
    assert "routed-lora-router=trained-legacy_weighting=True" in names
    assert {arm.variant for arm in ARMS} == set(registry.names(VARIANTS))


@each_arm
def test_at_first_the_output_is_exactly_the_base_models(spec):
    base = tiny_base()
    input_BS = ids(3, 7)
    with torch.no_grad():
        wanted_BSV = base.model(input_BS).logits
        assert torch.equal(AdaptedModel(base, spec)(input_BS).logits_BSV, wanted_BSV)
        assert not torch.allclose(
            stirred(AdaptedModel(base, spec))(input_BS).logits_BSV, wanted_BSV, atol=1e-3
        )
        assert torch.equal(base.model(input_BS).logits, wanted_BSV)


@pytest.mark.slow
@each_arm
def test_training_never_changes_base_weights_and_changes_all_that_is_trained(spec):
    base = tiny_base()
    learner = Finetuner(run_spec(spec), base, questions())
    before = digest(base.model.parameters())
    first = {name: p.clone() for name, p in learner.model.adapter_parameters().items()}
    for step in range(1, 4):
        learner.step(step)
    assert digest(base.model.parameters()) == before
    assert all(p.grad is None for p in base.model.parameters())
    for name, parameter in learner.model.adapter_parameters().items():
        assert torch.equal(parameter, first[name]) != parameter.requires_grad, name


@each_arm
def test_the_task_loss_alone_reaches_the_router_exactly_where_a_variant_says_so(spec):
    model = stirred(AdaptedModel(tiny_base(), spec))
    model(ids(4, 9)).logits_BSV.square().mean().backward()
    for adapter in model.adapters:
        routers = [p for name, p in adapter.named_parameters() if "router" in name]
        assert adapter.learns_routing <= bool(routers)
        for router in routers:
            reached = router.grad is not None and bool(router.grad.abs().max() > 1e-6)
            assert reached == adapter.learns_routing
    others = [p for name, p in model.trainable_parameters().items() if "router" not in name]
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in others)


def test_trained_routers_learn_from_the_task_and_frozen_and_legacy_ones_do_not():
    learns = {
        (arm["router"], arm["legacy_weighting"]): AdaptedModel(
            tiny_base(), spec_of("routed", options=arm)
        )
        .adapters[0]
        .learns_routing
        for arm in options("routed")
    }
    assert [arm for arm, is_learning in learns.items() if is_learning] == [("trained", False)]


@each_arm
def test_a_balance_loss_sends_its_gradient_to_a_trained_router(spec):
    model = stirred(AdaptedModel(tiny_base(), spec))
    loss = model(ids(4, 9)).balance_loss
    trained = [p for name, p in model.trainable_parameters().items() if "router" in name]
    if trained:
        loss.backward()
        assert all(router.grad.abs().max() > 0 for router in trained)
    else:
        assert not loss.requires_grad


@pytest.mark.slow
@each_block_arm
def test_values_and_gradients_equal_the_unfused_reference(spec):
    model = stirred(AdaptedModel(tiny_base(olmoe(experts="eager").double()), spec)).double()
    layer, adapter = layers_of(model.model)[0], model.adapters[0]
    h_TD = torch.randn(11, 8, dtype=torch.float64, requires_grad=True)
    slope_TD = torch.randn(11, 8, dtype=torch.float64)
    inputs = [h_TD, *(p for p in adapter.parameters() if p.requires_grad)]

    def answers(y_TD):
        grads = torch.autograd.grad((y_TD * slope_TD).sum(), inputs, allow_unused=True)
        return y_TD, *(torch.zeros(1) if grad is None else grad for grad in grads)

    got = answers(layer.mlp(h_TD[None])[0])
    # transformers takes the softmax of the base's router in float32.
    for one, wanted in zip(got, answers(reference.block(layer, adapter, h_TD)), strict=True):
        torch.testing.assert_close(one, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@each_arm
def test_formulas_count_the_parameters_that_are_trained_and_that_one_token_meets(spec):
    """In one layer, what reaches a token's logits is what that token meets."""
    model = stirred(AdaptedModel(tiny_base(num_layers=1), spec))
    trained = list(model.trainable_parameters().values())
    account = model.account()
    assert account.num_trainable_params == sum(p.numel() for p in trained)
    is_last = torch.tensor([[False, False, True]])
    for _ in range(5):
        out = model(ids(1, 3), is_last)
        loss = out.logits_BSV[:, -1].square().sum() + out.balance_loss
        met = torch.autograd.grad(loss, trained)
        counted = sum(int(grad.count_nonzero()) for grad in met)
        assert account.num_activated_trainable_params == counted


@pytest.mark.parametrize("variant", registry.names(VARIANTS))
def test_two_variants_on_one_base_share_its_weights_and_leave_each_other_alone(variant):
    base = tiny_base()
    given = next(options(variant))
    alone = stirred(AdaptedModel(base, spec_of(variant, options=given)))
    input_BS = ids(2, 5)
    before = alone(input_BS).logits_BSV
    second = stirred(AdaptedModel(base, spec_of("single", rank=2)))
    places = {p.data_ptr() for p in base.model.parameters()}
    assert places <= {p.data_ptr() for p in second.parameters()}
    second(input_BS)
    assert torch.equal(alone(input_BS).logits_BSV, before)


@pytest.mark.slow
@each_arm
def test_seeds_decide_the_first_values_and_nothing_else_does(spec):
    first, again, other = (AdaptedModel(tiny_base(), spec, seed) for seed in (1, 1, 2))
    drawn, redrawn, differing = (m.adapter_parameters() for m in (first, again, other))
    assert all(torch.equal(drawn[name], redrawn[name]) for name in drawn)
    assert any(not torch.equal(drawn[name], differing[name]) for name in drawn)


@pytest.mark.slow
@each_arm
def test_padding_changes_neither_answers_nor_balance(spec):
    model = stirred(AdaptedModel(tiny_base(), spec))
    input_BS = ids(2, 5)
    is_token_BS = torch.ones(2, 5, dtype=torch.bool)
    padded_BS = torch.cat([input_BS, torch.zeros(2, 4, dtype=torch.long)], dim=1)
    is_padded_BS = torch.cat([is_token_BS, torch.zeros(2, 4, dtype=torch.bool)], dim=1)
    short, long = model(input_BS, is_token_BS), model(padded_BS, is_padded_BS)
    torch.testing.assert_close(long.logits_BSV[:, :5], short.logits_BSV)
    torch.testing.assert_close(long.balance_loss, short.balance_loss)


def test_dropout_is_of_training_only():
    model = stirred(AdaptedModel(tiny_base(), spec_of("single", dropout=0.5)))
    input_BS = ids(2, 5)
    first, second = (model.train()(input_BS).logits_BSV for _ in range(2))
    assert not torch.equal(first, second)
    first, second = (model.eval()(input_BS).logits_BSV for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.slow
@each_arm
def test_in_bfloat16_the_output_is_nearly_that_of_float32(spec):
    exact, rough = tiny_base(hidden_size=16), tiny_base(olmoe(hidden_size=16).bfloat16())
    setting = torch.autocast("cpu", torch.bfloat16)
    input_BS = ids(4, 8)
    wanted = stirred(AdaptedModel(exact, spec))(input_BS).logits_BSV
    with setting, torch.no_grad():
        got = stirred(AdaptedModel(rough, spec))(input_BS).logits_BSV
    # A choice of experts may fall otherwise; what is left is a few per cent.
    errors = (got.float() - wanted).norm(dim=-1) / wanted.norm(dim=-1)
    assert errors.median() < 0.05


def test_scale_is_alpha_over_rank_or_two():
    assert spec_of("single", rank=4).scale == 2
    assert spec_of("single", rank=16, alpha=32.0).scale == 2
    assert spec_of("single", rank=8, alpha=32.0).scale == 4
    assert spec_of("single", rank=8, inner="parallel").scale == 1


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"variant": "single", "rank": 9}, "rank=9 is larger than the hidden size 8"),
        ({"variant": "nobody", "rank": 1}, "unknown name 'nobody'"),
        (
            {"variant": "routed", "rank": 1, "options": {"num_adapters": 2, "top_k": 3}},
            r"top_k=3 must be in 1\.\.num_adapters=2",
        ),
        ({"variant": "dense", "rank": 1}, "num_adapters: is missing"),
        ({"variant": "single", "rank": 1, "options": {"top_k": 1}}, "unknown key 'top_k'"),
        (
            {
                "variant": "routed",
                "rank": 1,
                "options": {"num_adapters": 4, "top_k": 3, "legacy_weighting": True},
            },
            "there are 2; choose top_k in 1..2",
        ),
        ({"variant": "attention_lora", "rank": 1, "inner": "parallel"}, "set inner to 'lora'"),
        ({"variant": "single", "rank": 1, "inner": "parallel", "alpha": 2.0}, "is of lora"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(given, complaint):
    with pytest.raises(ValueError, match=complaint):
        AdaptedModel(tiny_base(), spec_of(**given))
