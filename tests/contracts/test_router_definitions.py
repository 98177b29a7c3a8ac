"""What single routers do, worked out by hand.

Shapes: T tokens, E experts, K choices a token, N assignments, V entries of the vocabulary.
"""

import pytest
import torch

from moebench import registry
from moebench.routers.base import Router, RouterSetting, RunningMean

V = 30


def make_router(name, num_experts=4, top_k=2, **options):
    setting = RouterSetting(
        num_experts=num_experts, top_k=top_k, token_count_V=torch.arange(V).flip(0)
    )
    return registry.load(Router, name)(setting, **options)


def ids(num_sequences, seq_len):
    return torch.zeros(num_sequences, seq_len, dtype=torch.long)


def dense(routing):
    """Weight of every token and expert, zero where there is no assignment, shape (T, E)."""
    weight_TE = routing.weight_N.new_zeros(routing.num_tokens, routing.num_experts)
    return weight_TE.index_put((routing.token_N, routing.expert_N), routing.weight_N)


def skewed(num_tokens, num_experts=4):
    """Logits by which nearly everybody would like the first expert."""
    logits_TE = torch.randn(num_tokens, num_experts)
    logits_TE[:, 0] += 2
    return logits_TE


def train_on(router, num_steps, logits=skewed):
    """Let a router adapt to batches of 512 tokens; returns the loads it asked for, newest last."""
    loads = []
    for _ in range(num_steps):
        loads.append(router(logits(512), ids(4, 128), 512).load_E())
        router.adapt()
    return torch.stack(loads)


def test_hash_table_is_balanced_where_frequencies_allow():
    counts = torch.tensor([1000] + [10] * 400)
    setting = RouterSetting(num_experts=4, top_k=1, token_count_V=counts)
    table_V = registry.load(Router, "hash")(setting).expert_VK[:, 0]
    load_E = torch.bincount(table_V, weights=counts.double(), minlength=4)
    assert load_E.max() - load_E.min() <= 1000 - 4000 / 4 + 10


def test_hash_spreads_every_choice_and_does_not_couple_experts():
    counts = torch.arange(400).flip(0) + 1
    setting = RouterSetting(num_experts=8, top_k=2, token_count_V=counts)
    table_VK = registry.load(Router, "hash")(setting).expert_VK
    for choice in range(2):
        load_E = torch.bincount(table_VK[:, choice], weights=counts.double(), minlength=8)
        assert load_E.max() / load_E.mean() < 1.02
    couples = {tuple(sorted(pair)) for pair in table_VK.tolist()}
    assert len(couples) > 20, "of the 28 there are; fixed couples would be one wide expert each"


def test_hash_gives_a_token_id_the_same_experts_at_every_position():
    router = make_router("hash", 4, 2)
    ids = torch.tensor([[5, 7, 5, 5]])
    experts_TK = router(torch.randn(4, 4), ids, 4).expert_N.view(4, 2)
    assert (experts_TK[[0, 2, 3]] == experts_TK[0]).all()


def test_presoftmax_keeps_probabilities_and_renormalised_is_softk():
    logits_TE = torch.log(torch.tensor([[0.5, 0.3, 0.15, 0.05]]))
    plain = dense(make_router("topk_presoftmax")(logits_TE, ids(1, 1), 1))
    torch.testing.assert_close(plain, torch.tensor([[0.5, 0.3, 0.0, 0.0]]))
    both = [
        dense(make_router(name, **options)(logits_TE, ids(1, 1), 1))
        for name, options in (("topk_presoftmax", {"renormalise": True}), ("softk", {}))
    ]
    torch.testing.assert_close(*both)


def test_gshard_leaves_out_second_experts_as_often_as_their_weight_says():
    router = make_router("gshard_top2")
    logits_TE = torch.log(torch.tensor([[0.8, 0.2, 1e-9, 1e-9]])).expand(20_000, 4)
    weight_TE = dense(router(logits_TE, ids(1, 20_000), 1))
    assert (weight_TE[:, 0] > 0.79).all(), "the first is always there, and not renormalised"
    share = (weight_TE[:, 1] > 0).double().mean().item()
    assert share == pytest.approx(0.4, abs=0.02)
    assert (dense(router.eval()(logits_TE, ids(1, 20_000), 1))[:, 1] > 0).all()


def test_noise_has_the_width_that_the_gate_says_and_is_gone_when_scoring():
    router = make_router("noisy_topk", top_k=1, num_experts=2)
    width = 3.0
    column = torch.log(torch.expm1(torch.tensor(width)))  # its softplus is the width
    logits_TG = torch.tensor([1.0, 0.0, column, column]).expand(50_000, 4)
    chosen = dense(router(logits_TG, ids(1, 50_000), 1))[:, 0].mean().item()
    # 1 + 3 a > 3 b for normal a and b
    expected = torch.special.ndtr(torch.tensor(1 / (width * 2**0.5))).item()
    assert chosen == pytest.approx(expected, abs=0.01)
    assert (dense(router.eval()(logits_TG, ids(1, 50_000), 1))[:, 0] == 1).all()


def test_the_smooth_load_is_the_chance_to_be_chosen_when_noise_is_drawn_anew():
    router = make_router("noisy_topk", num_experts=3, top_k=1)
    clean_TE, width_TE = torch.tensor([[1.0, 0.5, 0.0]]), torch.ones(1, 3)
    noisy_TE = torch.tensor([[0.8, 1.1, -1.0]])
    load_E = router._smooth_load_E(clean_TE, noisy_TE, width_TE)
    # Each must beat the best of the others: 1.1, 0.8 and 1.1.
    expected_E = torch.special.ndtr(torch.tensor([1.0 - 1.1, 0.5 - 0.8, 0.0 - 1.1]))
    torch.testing.assert_close(load_E, expected_E)


def test_round_robin_takes_turns_and_starts_anew_with_each_sequence():
    routing = make_router("round_robin", num_experts=3)(torch.randn(8, 3), ids(2, 4), 9)
    assert routing.expert_N.view(2, 4, 2).tolist() == [[[0, 1], [2, 0], [1, 2], [0, 1]]] * 2


def test_frozen_random_chooses_as_softk_does_and_sends_nothing_back():
    logits_TE = torch.randn(16, 4, requires_grad=True)
    frozen, soft = (
        make_router(name)(logits_TE, ids(1, 16), 8) for name in ("frozen_random", "softk")
    )
    assert torch.equal(dense(frozen), dense(soft))
    assert not frozen.weight_N.requires_grad
    assert not frozen.balance_loss.requires_grad


def test_sinkhorn_balances_in_training_and_takes_the_largest_logits_when_scoring():
    router = make_router("sinkhorn")
    logits_TE = skewed(4000)
    load_E = router(logits_TE, ids(1, 4000), 1).load_E()
    assert load_E.max() / load_E.double().mean() < 1.15
    scored = router.eval()(logits_TE, ids(1, 4000), 1)
    assert torch.equal(scored.expert_N.view(-1, 2), logits_TE.topk(2).indices)
    assert scored.load_E().max() / scored.load_E().double().mean() > 1.5


def test_null_experts_leave_k_real_choices_where_the_pool_is_balanced():
    router = make_router("null_experts")
    routing = router(torch.randn(20_000, router.num_logits), ids(1, 20_000), 1)
    assert router.num_logits == 8
    assert routing.num_requested / 20_000 == pytest.approx(2, abs=0.03)
    k_T = torch.bincount(routing.token_N, minlength=20_000)
    assert k_T.min() == 0
    assert k_T.max() == 4
    assert (dense(routing).sum(dim=1) <= 1 + 1e-6).all()


def test_expert_choice_by_position_takes_the_best_of_each_position_and_fills_every_slot():
    router = make_router("expert_choice_position")
    logits_TE = torch.randn(6 * 5, 4)
    routing = router(logits_TE, ids(6, 5), 13)
    assert routing.load_E().tolist() == [13, 13, 13, 13]
    is_taken_BSE = dense(routing).view(6, 5, 4) > 0
    assert is_taken_BSE.sum(dim=0)[:, 0].tolist() == [2, 3, 2, 3, 3]
    prob_BSE = logits_TE.softmax(dim=-1).view(6, 5, 4)
    for position, num_taken in enumerate([2, 3, 2, 3, 3]):
        best = prob_BSE[:, position, 1].topk(num_taken).indices
        assert is_taken_BSE[:, position, 1].nonzero().flatten().tolist() == sorted(best.tolist())


def test_the_first_running_mean_is_the_first_value_and_later_ones_decay():
    mean = RunningMean(torch.tensor([7.0]), decay=0.75)
    mean.update(torch.tensor([4.0]))
    assert mean.value.item() == 4
    mean.update(torch.tensor([0.0]))
    assert mean.value.item() == 3
    with pytest.raises(ValueError, match="must be in"):
        RunningMean(torch.zeros(()), decay=1.0)


def test_loss_free_moves_biases_against_the_load_and_keeps_them_out_of_the_weights():
    router = make_router("loss_free", bias_step=0.25)
    logits_TE = torch.tensor([[3.0, 2.0, 1.0, 0.0]]).expand(8, 4)
    weight_TE = dense(router(logits_TE, ids(1, 8), 8))
    sigmoid_E = logits_TE[0].sigmoid()
    torch.testing.assert_close(weight_TE[0, :2], sigmoid_E[:2] / sigmoid_E[:2].sum())
    router.adapt()
    assert router.bias_E.tolist() == [-0.25, -0.25, 0.25, 0.25]
    router.adapt()  # nothing was seen meanwhile
    assert router.bias_E.tolist() == [-0.25, -0.25, 0.25, 0.25]
    chosen = dense(router(logits_TE, ids(1, 8), 8))[0]
    torch.testing.assert_close(chosen[2:], sigmoid_E[2:] / sigmoid_E[2:].sum())


def test_a_step_in_parts_is_learnt_from_as_a_whole():
    first_TE = torch.tensor([[3.0, 2.0, 1.0, 0.0]])
    parts = [first_TE.expand(32, 4), first_TE.flip(1).expand(8, 4)]

    def learnt(name, given):
        router = make_router(name)
        for logits_TE in given:
            router(logits_TE, ids(1, len(logits_TE)), 40)
        router.adapt()
        return next(iter(router.state_dict().values()))

    assert torch.equal(learnt("loss_free", parts), learnt("loss_free", parts[:1]))
    for name in ("quantile_balance", "top_p", "expert_threshold"):
        mean = (learnt(name, parts[:1]) + learnt(name, parts[1:])) / 2
        torch.testing.assert_close(learnt(name, parts), mean)


@pytest.mark.parametrize(
    ("name", "options", "num_steps"),
    [("loss_free", {"bias_step": 0.01}, 60), ("quantile_balance", {}, 3)],
)
def test_biases_balance_a_skewed_gate(name, options, num_steps):
    load_E = train_on(make_router(name, **options), num_steps)
    vio = load_E.double().max(dim=1).values / load_E[0].double().mean()
    assert vio[0] > 1.6
    assert vio[-1] < 1.15


def test_top_p_comes_to_k_experts_a_token_and_gives_the_torn_ones_more():
    router = make_router("top_p", num_experts=8)
    num_E = train_on(router, 40, lambda T: 2 * torch.randn(T, 8)).sum(dim=1)
    assert num_E[-10:].double().mean() / 512 == pytest.approx(2, abs=0.1)
    sure_and_torn_TE = torch.stack([9 * torch.eye(8)[0], torch.zeros(8)])
    k_T = torch.bincount(router(sure_and_torn_TE, ids(1, 2), 9).token_N)
    assert k_T[0] == 1
    assert k_T[1] > 2


def test_remoe_raises_its_penalty_while_too_many_are_active_and_lowers_it_after():
    router = make_router("remoe", penalty_start=1.0)
    for logits_TE, expected in (
        (torch.ones(6, 4), 1.2),
        (torch.ones(6, 4), 1.44),
        (-torch.ones(6, 4), 1.2),
    ):
        router(logits_TE, ids(1, 6), 4)
        router.adapt()
        assert router.penalty.item() == pytest.approx(expected)
    half = torch.tensor([[1.0, 1.0, -1.0, -1.0]]).expand(6, 4)
    # f is 2, 2, 0, 0 for K = 2, the mean weights 1, 1, 0, 0: penalty times 4
    assert router(half, ids(1, 6), 4).balance_loss.item() == pytest.approx(1.2 * 4)


def test_expert_threshold_warms_up_as_expert_choice_and_then_holds_k_and_balance():
    router = make_router("expert_threshold", warmup_steps=10, decay=0.8)
    load_SE = train_on(router, 40)
    assert (load_SE[:10] == 256).all()
    assert (load_SE[11:] != 256).any()
    late_E = load_SE[-20:].double().mean(dim=0)
    assert (late_E / 256 - 1).abs().max() < 0.1
    held_out = router.eval()(skewed(4096), ids(32, 128), 1)
    assert held_out.num_requested / 4096 == pytest.approx(2, abs=0.15)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("loss_free", {"bias_step": 0.0}),
        ("remoe", {"penalty_start": 0.0}),
        ("remoe", {"penalty_growth": 1.0}),
        ("null_experts", {"pool_factor": 1}),
        ("sinkhorn", {"num_iterations": 0}),
        ("expert_threshold", {"warmup_steps": -1}),
        ("top_p", {"decay": 1.0}),
    ],
)
def test_options_that_make_no_sense_are_refused_by_name(name, options):
    with pytest.raises(ValueError, match=next(iter(options))):
        make_router(name, **options)


WITH_BALANCE_LOSS = [
    *("top1", "softk", "topk_hard", "topk_presoftmax", "gshard_top2", "top_p", "null_experts"),
]


def balance_of(name, scope, logits_TG, token_id_BS):
    """Balance loss of a router that scores, in a scope."""
    setting = RouterSetting(
        num_experts=4, top_k=2, token_count_V=torch.ones(V), balance_scope=scope
    )
    return registry.load(Router, name)(setting).eval()(logits_TG, token_id_BS, 64).balance_loss


@pytest.mark.parametrize("name", WITH_BALANCE_LOSS)
def test_balance_by_sequence_is_the_mean_of_the_sequences_balanced_alone(name):
    columns = 8 if name == "null_experts" else 4
    logits_TG = torch.randn(3 * 16, columns, dtype=torch.float64, requires_grad=True)
    by_sequence = balance_of(name, "sequence", logits_TG, ids(3, 16))
    alone = [balance_of(name, "batch", each, ids(1, 16)) for each in logits_TG.split(16)]
    torch.testing.assert_close(by_sequence, torch.stack(alone).mean())
    gradients = [
        torch.autograd.grad(loss, logits_TG)[0] for loss in (by_sequence, sum(alone) / len(alone))
    ]
    torch.testing.assert_close(*gradients)
    assert gradients[0].norm() > 0
    assert by_sequence != balance_of(name, "batch", logits_TG, ids(3, 16))


def test_sequences_that_balance_each_other_are_even_for_the_batch_and_not_for_themselves():
    logits_TE = 50.0 * torch.eye(4).repeat_interleave(8, dim=0)  # an expert for each sequence
    assert balance_of("top1", "batch", logits_TE, ids(4, 8)) == pytest.approx(1.0)
    assert balance_of("top1", "sequence", logits_TE, ids(4, 8)) == pytest.approx(4.0)


def test_only_routers_with_switchs_balance_loss_know_a_scope():
    for name in registry.names("routers"):
        router = make_router(name)
        logits_TG = torch.randn(32, router.num_logits)
        losses = [balance_of(name, scope, logits_TG, ids(2, 16)) for scope in ("batch", "sequence")]
        assert (losses[0] != losses[1]) == (name in WITH_BALANCE_LOSS), name
