"""What every router must satisfy. A new file in moebench/routers needs no edit here.

Shapes: T tokens, E experts, K choices a token, N assignments, D width, V entries of the vocabulary,
G columns of the gate.
"""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from moebench import registry
from moebench.capacity import POLICIES, causality, drop_over_capacity
from moebench.dispatch.reference import Reference
from moebench.moe import DenseLayer, MoELayer, build_layer
from moebench.routers.base import Causality, Router, RouterSetting, expert_capacity
from tests.specs import run_spec, runs_of

V = 30
ROUTERS = registry.names("routers")
every_router = pytest.mark.parametrize("name", ROUTERS)
every_policy = pytest.mark.parametrize("policy", sorted(POLICIES))
every_mode = pytest.mark.parametrize("training", [True, False], ids=["training", "scoring"])
UNBOUNDED = ("remoe",)  # whose weights may exceed 1
GRADED_ALONE = ("remoe", "sinkhorn", "null_experts")  # who weigh even an expert without rivals
fixed_k = [name for name in ROUTERS if registry.load(Router, name).fixed_k]
sizes = st.tuples(st.integers(1, 40), st.integers(1, 9), st.floats(0.25, 4.0))
several = settings(max_examples=12, deadline=None)


def make_router(name, num_experts, top_k):
    setting = RouterSetting(
        num_experts=num_experts, top_k=top_k, token_count_V=torch.arange(V).flip(0)
    )
    return registry.load(Router, name)(setting)


def route(router, T, capacity, num_sequences=1):
    """Routing of T tokens with random logits."""
    ids_BS = torch.randint(V, (num_sequences, T // num_sequences))
    return router(torch.randn(T, router.num_logits), ids_BS, capacity)


def make_layer(name, *, options=None, **model):
    """A layer in float64 whose gate is sharp enough to load experts unevenly."""
    layer = build_layer(run_spec(name, options=options, **model), torch.ones(V)).double()
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return layer


def tokens(num_sequences, seq_len, dim=8):
    x_BSD = torch.randn(num_sequences, seq_len, dim, dtype=torch.float64, requires_grad=True)
    return x_BSD, torch.randint(V, (num_sequences, seq_len))


def pairs(routing):
    return set(zip(routing.token_N.tolist(), routing.expert_N.tolist(), strict=True))


@every_router
@several
@given(size=sizes)
def test_routing_is_well_formed(name, size):
    T, E, factor = size
    router = make_router(name, E, min(2, E))
    capacity = expert_capacity(T, E, router.top_k, factor)
    for training in (True, False):
        requested = route(router.train(training), T, capacity, num_sequences=2 if T % 2 == 0 else 1)
        check_requested(router, requested, T)
        assert name in UNBOUNDED or (requested.weight_N <= 1).all()
        for policy in POLICIES:
            check_kept(requested, capacity, policy)


def check_requested(router, requested, T):
    check_listed(requested, T, router.num_experts)
    assert requested.token_N.numel() == requested.num_requested
    assert (requested.weight_N >= 0).all()
    assert requested.weight_N.isfinite().all()
    if router.fixed_k:
        assert torch.bincount(requested.token_N, minlength=T).eq(router.top_k).all()


def check_listed(routing, T, E):
    N = routing.token_N.numel()
    assert routing.expert_N.shape == routing.weight_N.shape == (N,)
    assert (routing.num_tokens, routing.num_experts) == (T, E)
    assert ((routing.token_N >= 0) & (routing.token_N < T)).all()
    assert ((routing.expert_N >= 0) & (routing.expert_N < E)).all()
    assert len(pairs(routing)) == N, "a token reaches an expert at most once"


def check_kept(requested, capacity, policy):
    kept = drop_over_capacity(requested, capacity, policy, seq_len=requested.num_tokens)
    check_listed(kept, requested.num_tokens, requested.num_experts)
    assert kept.num_requested == requested.num_requested
    assert pairs(kept) <= pairs(requested)
    dropped = len(pairs(requested) - pairs(kept))
    assert kept.token_N.numel() + dropped == requested.num_requested
    if policy == "none":
        assert dropped == 0
    else:
        assert kept.load_E().max() <= capacity
        overflow_E = (requested.load_E() - capacity).clamp(min=0)
        assert dropped == overflow_E.sum(), "only what exceeds the capacity is dropped"


@every_router
def test_gate_gets_a_gradient_from_the_task_exactly_when_the_router_learns(name):
    layer = make_layer(name)
    x_BSD, token_id_BS = tokens(4, 16)
    layer(x_BSD, token_id_BS).y_BSD.square().mean().backward()  # the task alone, no auxiliary loss
    gradient = layer.gate.weight.grad
    learns = bool(gradient is not None and gradient.norm() > 0)
    told = "a" if learns else "no"
    assert layer.router.learned == learns, (
        f"the task loss sends {told} gradient to the gate; declare learned = {learns}, or mend it"
    )


@every_router
def test_balance_loss_reaches_the_gate_where_there_is_one(name):
    layer = make_layer(name)
    loss = layer(*tokens(4, 16)).balance_loss
    if not layer.router.balance_trains:
        assert loss > 0 or layer.router.ignores_gate
        assert not loss.requires_grad
    elif loss != 0:
        [gradient] = torch.autograd.grad(loss, [layer.gate.weight])
        assert gradient.norm() > 0


def test_balance_loss_is_one_when_balanced_and_more_when_skewed():
    router = make_router("top1", 4, 1)
    even_TE = 50.0 * torch.eye(4)
    skewed_TE = even_TE[:1].expand(4, 4)
    ids = torch.zeros(1, 4, dtype=torch.long)
    assert router(even_TE, ids, 4).balance_loss == pytest.approx(1.0)
    assert router(skewed_TE, ids, 4).balance_loss == pytest.approx(4.0)


@pytest.mark.parametrize(
    ("name", "competing"), [("softk", 4), ("noisy_topk", 4), ("null_experts", 8)]
)
def test_z_loss_has_its_golden_value_over_the_columns_that_compete(name, competing):
    layer = make_layer(name)
    torch.nn.init.zeros_(layer.gate.weight)
    assert layer(*tokens(2, 8)).z_loss.item() == pytest.approx(math.log(competing) ** 2)


@every_router
def test_one_expert_is_the_plain_network_times_its_weight(name):
    layer = make_layer(name, num_experts=1, top_k=1, capacity_factor=1.0)
    plain = DenseLayer(8, 32).double()
    plain.experts.load_state_dict(layer.experts.state_dict())
    x_BSD, token_id_BS = tokens(3, 5)
    out = layer(x_BSD, token_id_BS)
    weight_T = torch.zeros(15, dtype=torch.float64)
    weight_T = weight_T.index_add(0, out.kept.token_N, out.kept.weight_N)
    if name not in GRADED_ALONE:
        torch.testing.assert_close(weight_T, torch.ones_like(weight_T))
    plain_BSD = plain(x_BSD, token_id_BS).y_BSD
    torch.testing.assert_close(out.y_BSD, weight_T.view(3, 5, 1) * plain_BSD)


@pytest.mark.parametrize(
    "name", ["softk", "topk_hard", "expert_choice", "topk_presoftmax", "expert_choice_position"]
)
def test_all_experts_without_drops_are_the_dense_mixture(name):
    layer = make_layer(name, top_k=4, drop_policy="none", capacity_factor=1.0)
    x_BSD, token_id_BS = tokens(3, 5)
    prob_BSE = layer.gate(x_BSD).softmax(dim=-1)
    if name == "topk_hard":
        prob_BSE = torch.full_like(prob_BSE, 1 / 4)
    answer = [layer.experts(x_BSD, expert) for expert in range(4)]
    mixture_BSD = sum(prob_BSE[..., e, None] * answer[e] for e in range(4))
    torch.testing.assert_close(layer(x_BSD, token_id_BS).y_BSD, mixture_BSD)


@every_router
def test_permuting_tokens_permutes_the_output_without_drops(name):
    layer = make_layer(name, drop_policy="none").eval()
    x_BSD, token_id_BS = tokens(1, 24)
    order = torch.randperm(24)
    straight = layer(x_BSD, token_id_BS).y_BSD[:, order]
    permuted = layer(x_BSD[:, order], token_id_BS[:, order]).y_BSD
    if layer.router.positional:
        assert not torch.allclose(permuted, straight)
    else:
        torch.testing.assert_close(permuted, straight)


def kept_of_equal_noise(layer, x_BSD, token_id_BS):
    """Routing after capacity, with the noise of every other call."""
    torch.manual_seed(1)
    return layer(x_BSD, token_id_BS).kept


@every_router
@every_mode
@every_policy
def test_declared_causality_holds_when_the_future_is_replaced(name, training, policy):
    """Routes of the first half, before and after the second half of every sequence is replaced.

    Who declares to depend on the future must be seen to: a needless mark is a false one.
    """
    layer = make_layer(name, drop_policy=policy, capacity_factor=0.75).train(training)
    x_BSD, token_id_BS = tokens(4, 16)
    changed = x_BSD.detach().clone()
    changed[:, 8:] = 3 * torch.randn(4, 8, 8, dtype=torch.float64)
    ids = token_id_BS.clone()
    ids[:, 8:] = torch.randint(V, (4, 8))
    declared = layer.training_causality if training else layer.causality
    routes = [
        _early(kept_of_equal_noise(layer, x, given))
        for x, given in ((x_BSD, token_id_BS), (changed, ids))
    ]
    own = layer.router.training_causality if training else None
    if declared < Causality.NON_CAUSAL:
        assert routes[0] == routes[1], (
            "later tokens change where earlier ones go; declare causality = Causality.NON_CAUSAL"
        )
    elif (layer.router.causality if own is None else own) == Causality.NON_CAUSAL:
        assert routes[0] != routes[1], "later tokens change nothing; declare a milder causality"


@pytest.mark.parametrize("name", ["softk", "top1"])
def test_dropping_by_gate_is_seen_to_leak(name):
    layer = make_layer(name, drop_policy="gate", capacity_factor=0.75)
    x_BSD, token_id_BS = tokens(4, 16)
    changed = x_BSD.detach().clone()
    changed[:, 8:] = 3 * torch.randn(4, 8, 8, dtype=torch.float64)
    before, after = (layer(x, token_id_BS).kept for x in (x_BSD, changed))
    assert layer.causality == Causality.NON_CAUSAL
    assert _early(before) != _early(after)


def _early(routing):
    """Assignments of the first half of sequences of 16 tokens."""
    return {(token, expert) for token, expert in pairs(routing) if token % 16 < 8}


def uncoupled():
    """Pairs of router and drop policy that declare not to look at other sequences."""
    return [
        (name, policy)
        for name in ROUTERS
        for policy in POLICIES
        if causality(registry.load(Router, name).causality, policy) <= Causality.PREFIX_CAUSAL
    ]


@pytest.mark.parametrize(("name", "policy"), uncoupled())
def test_uncoupled_routing_ignores_other_sequences(name, policy):
    layer = make_layer(name, drop_policy=policy, capacity_factor=1.0).eval()
    x_BSD, token_id_BS = tokens(2, 16)
    both = layer(x_BSD, token_id_BS).y_BSD[1:]
    alone = layer(x_BSD[1:], token_id_BS[1:]).y_BSD
    torch.testing.assert_close(
        both, alone,
        msg="other sequences change the output; declare causality = Causality.BATCH_COUPLED",
    )  # fmt: skip


@pytest.mark.parametrize("name", fixed_k)
def test_position_policy_drops_the_latest_and_gate_policy_the_lightest(name):
    router = make_router(name, 4, 2)
    logits_TG = torch.randn(32, router.num_logits)
    logits_TG[:, 0] += 9  # nearly everybody wants the first expert
    ids = torch.full((1, 32), 3)
    requested = router(logits_TG, ids, 5)
    for policy, key in (("position", requested.token_N), ("gate", -requested.weight_N)):
        kept = pairs(drop_over_capacity(requested, 5, policy, seq_len=32))
        for expert in range(4):
            mine = requested.expert_N == expert
            best = key[mine].argsort(stable=True)[:5]
            expected = {(t, expert) for t in requested.token_N[mine][best].tolist()}
            assert {pair for pair in kept if pair[1] == expert} == expected


def test_position_policy_spreads_drops_over_sequences():
    router = make_router("hash", 4, 1)
    requested = router(torch.zeros(4 * 16, 4), torch.zeros(4, 16, dtype=torch.long), 32)
    kept = drop_over_capacity(requested, 32, "position", seq_len=16)
    kept_by_sequence = torch.bincount(kept.token_N // 16, minlength=4)
    assert kept_by_sequence.tolist() == [8, 8, 8, 8]


@every_router
@pytest.mark.parametrize(
    ("num_sequences", "seq_len", "num_experts"), [(1, 1, 4), (1, 1, 1), (1, 7, 3), (5, 3, 9)]
)
def test_odd_sizes_work_with_gradients(name, num_sequences, seq_len, num_experts):
    layer = make_layer(name, num_experts=num_experts, top_k=1)
    x_BSD, token_id_BS = tokens(num_sequences, seq_len)
    layer(x_BSD, token_id_BS).y_BSD.sum().backward()
    assert x_BSD.grad.isfinite().all()


@every_router
def test_ties_in_the_logits_still_give_each_token_different_experts(name):
    router = make_router(name, 4, 2)
    routing = router(torch.zeros(12, router.num_logits), torch.arange(12).view(2, 6), 6)
    assert len(pairs(routing)) == routing.num_requested


@every_router
def test_fast_layer_equals_the_reference_in_values_and_gradients(name):
    layer = make_layer(name, capacity_factor=0.75).eval()
    x_BSD, token_id_BS = tokens(3, 8)
    wanted = [x_BSD, *layer.parameters()]
    results = []
    for dispatch in (layer.dispatch, Reference()):
        layer.dispatch = dispatch
        y_BSD = layer(x_BSD, token_id_BS).y_BSD
        loss = (y_BSD * torch.linspace(-1, 1, y_BSD.numel()).view_as(y_BSD)).sum()
        results.append([y_BSD, *torch.autograd.grad(loss, wanted, allow_unused=True)])
    for fast, slow in zip(*results, strict=True):
        torch.testing.assert_close(fast, slow)


def sizes_in_configs():
    """Every (router, B, S, E, K, factor, policy) that the configs ask for."""
    found = {
        (
            run.router,
            run.training.batch_size,
            run.training.seq_len,
            run.model.num_experts,
            run.model.top_k,
            run.model.capacity_factor,
            run.model.drop_policy,
        )
        for overlays in ([], ["seeds.yaml"], ["modern.yaml"], ["seeds.yaml", "modern.yaml"])
        for run in runs_of(*overlays).values()
        if not run.is_baseline
    }
    return sorted(found)


@pytest.mark.parametrize(("name", "B", "S", "E", "K", "factor", "policy"), sizes_in_configs())
def test_nothing_is_clamped_at_the_sizes_in_the_configs(name, B, S, E, K, factor, policy):
    router = make_router(name, E, K).eval()
    T = B * S
    capacity = expert_capacity(T, E, router.top_k, factor)
    requested = route(router, T, capacity, num_sequences=B)
    if router.fixed_k:
        assert requested.num_requested == T * router.top_k
    kept = drop_over_capacity(requested, capacity, policy, seq_len=S)
    wanted_E = requested.load_E()
    full_E = wanted_E if policy == "none" else wanted_E.clamp(max=capacity)
    assert kept.load_E().tolist() == full_E.tolist()


def test_mixture_layer_and_baselines_have_the_promised_parameters():
    moe = build_layer(run_spec("softk"), torch.ones(V))
    assert isinstance(moe, MoELayer)
    count = {
        name: sum(p.numel() for p in build_layer(run_spec(name), torch.ones(V)).parameters())
        for name in ("dense", "dense_total")
    }
    expert = 2 * 8 * 32
    assert count == {"dense": 2 * expert, "dense_total": 4 * expert}
    assert sum(p.numel() for p in moe.experts.parameters()) == count["dense_total"]
