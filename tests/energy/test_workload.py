"""The task can be learnt, is the same for every seed's owner, and its scores are honest."""

import math

import pytest
import torch

from moebench import machine
from moebench.analysis.load import load_cv
from moebench.energy import workload
from moebench.energy.loaded import is_emulated, precision
from moebench.energy.networks import seeded
from moebench.energy.training import Trainer, load, score
from moebench.spec import LearningSpec, ShapeSpec

SHAPE = ShapeSpec(num_experts=4, width=32, num_layers=2, top_k=2)
SHORT = LearningSpec(num_samples=400, num_heldout=300, num_epochs=3, batch_size=64)


def train(network="moe", learning=SHORT, seed=0):
    samples, heldout = workload.train_and_heldout(learning, seed)
    model = seeded(network, SHAPE, seed)
    trainer = Trainer(model, samples, learning, seed)
    return list(trainer.epochs(heldout, lambda step: step(), network)), model, heldout


def test_samples_are_those_of_their_seed_and_held_out_ones_are_others():
    (train_a, heldout_a), (train_b, _) = (workload.train_and_heldout(SHORT, 1) for _ in range(2))
    other, _ = workload.train_and_heldout(SHORT, 2)
    assert torch.equal(train_a.x_ND, train_b.x_ND)
    assert torch.equal(train_a.y_N, train_b.y_N)
    assert not torch.equal(train_a.x_ND, other.x_ND)
    assert not torch.equal(train_a.x_ND[:300], heldout_a.x_ND)


def test_the_rule_reads_each_class_from_its_own_group_of_features():
    x_ND = torch.zeros(2, 784)
    x_ND[1, 78:156] = 1.0  # the group of class 1
    before, after = workload.scores(x_ND)
    moved = (after - before).abs()
    assert before.tolist() == [0.25] * 10
    assert moved[1] == moved.max() > 0.5


def test_labels_are_the_highest_score_but_for_the_noise():
    samples, _ = workload.train_and_heldout(LearningSpec(num_samples=4000), 0)
    best_N = workload.scores(samples.x_ND).argmax(dim=1)
    agreement = (best_N == samples.y_N).float().mean().item()
    assert 0.3 < agreement < 0.95
    shares = samples.y_N.bincount(minlength=10) / 4000
    assert shares.min() > 0.05
    assert samples.majority_share() == pytest.approx(shares.max().item())


def test_batches_differ_and_are_the_same_for_every_network():
    first, again = workload.batches(3, 5, seed=0), workload.batches(3, 5, seed=0)
    assert [each.shape for each in first] == [(5, 784)] * 3
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], first[1])


@pytest.mark.parametrize("network", ["moe", "dense_total", "dense_active"])
def test_training_lowers_the_loss_and_repeats_itself(network):
    epochs, _, _ = train(network)
    again, _, _ = train(network)
    assert [epoch.number for epoch in epochs] == [1, 2, 3]
    assert epochs[-1].train_nll_nats < epochs[0].train_nll_nats < 1.1 * math.log(10)
    assert [each.heldout_nll_nats for each in epochs] == [each.heldout_nll_nats for each in again]
    assert [epoch.taken for epoch in epochs] == [SHORT.num_samples] * 3


def test_an_epoch_is_adam_on_cross_entropy_batch_by_batch():
    learning = SHORT.model_copy(update={"num_epochs": 1, "learning_rate": 0.01})
    _, model, _ = train("dense_active", learning)
    samples, _ = workload.train_and_heldout(learning, 0)
    plain = seeded("dense_active", SHAPE, 0)
    optimiser = torch.optim.Adam(plain.parameters(), lr=0.01)
    for index in workload.shuffle(400, 0, 1).split(64):
        optimiser.zero_grad()
        torch.nn.CrossEntropyLoss()(plain(samples.x_ND[index]), samples.y_N[index]).backward()
        optimiser.step()
    for ours, expected in zip(model.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours, expected)


def skewed(balance_coef):
    """A mixture whose gate begins with a liking for one expert, after some training."""
    changes = {"num_epochs": 4, "learning_rate": 0.01, "balance_coef": balance_coef}
    learning = SHORT.model_copy(update=changes)
    samples, heldout = workload.train_and_heldout(learning, 0)
    model = seeded("moe", SHAPE.model_copy(update={"top_k": 1}), 0)
    with torch.no_grad():
        model.gate.bias[0] += 0.5
    *_, last = Trainer(model, samples, learning, 0).epochs(heldout, lambda step: step(), "moe")
    return last.heldout_load_E, model, heldout


def test_the_balance_loss_evens_the_load_and_is_left_out_where_its_factor_is_zero():
    (with_it, _, _), (without, model, heldout) = skewed(0.3), skewed(0.0)
    assert sum(with_it) == sum(without) == 300
    assert load_cv(with_it) < 0.7 * load_cv(without)
    share_E, prob_E = torch.tensor(without) / 300, model.gate(heldout.x_ND).softmax(1).mean(0)
    score_NC, balance = model.with_balance_loss(heldout.x_ND)
    torch.testing.assert_close(balance, 4 * (share_E * prob_E).sum())
    torch.testing.assert_close(score_NC, model(heldout.x_ND))
    epochs, _, _ = train("dense_active")
    assert {epoch.heldout_load_E for epoch in epochs} == {None}


def test_a_step_asks_the_gate_once_and_learns_as_if_it_asked_twice():
    learning = SHORT.model_copy(update={"num_epochs": 1, "balance_coef": 0.3})
    samples, heldout = workload.train_and_heldout(learning, 0)
    model, plain = seeded("moe", SHAPE, 0), seeded("moe", SHAPE, 0)
    asked = []
    model.gate.register_forward_hook(lambda *_: asked.append(model.training))
    list(Trainer(model, samples, learning, 0).epochs(heldout, lambda step: step(), "moe"))
    assert sum(asked) == math.ceil(400 / 64)
    optimiser = torch.optim.Adam(plain.parameters(), lr=learning.learning_rate)
    for index in workload.shuffle(400, 0, 1).split(64):
        optimiser.zero_grad()
        x_BD, y_B = samples.x_ND[index], samples.y_N[index]
        prob_BE, expert_BK = plain.gate(x_BD).softmax(1), plain.choices(x_BD)[1]
        share_E = expert_BK.flatten().bincount(minlength=4) / expert_BK.numel()
        balance = 4 * (share_E * prob_BE.mean(0)).sum()
        (torch.nn.CrossEntropyLoss()(plain(x_BD), y_B) + 0.3 * balance).backward()
        optimiser.step()
    for ours, expected in zip(model.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours, expected)


def test_an_expert_that_nobody_chooses_has_a_load_of_nothing():
    _, heldout = workload.train_and_heldout(SHORT, 0)
    model = seeded("moe", SHAPE, 0)
    with torch.no_grad():
        model.gate.bias[-1] = -1e9
    load_E = load(model, heldout)
    assert len(load_E) == 4
    assert load_E[-1] == 0
    assert sum(load_E) == 300 * 2


def test_without_a_balance_loss_a_mixture_learns_by_adam_on_cross_entropy_as_published():
    learning = SHORT.model_copy(update={"num_epochs": 1, "balance_coef": 0.0})
    _, model, _ = train("moe", learning)
    samples, _ = workload.train_and_heldout(learning, 0)
    plain = seeded("moe", SHAPE, 0)
    optimiser = torch.optim.Adam(plain.parameters(), lr=learning.learning_rate)
    for index in workload.shuffle(400, 0, 1).split(64):
        optimiser.zero_grad()
        torch.nn.CrossEntropyLoss()(plain(samples.x_ND[index]), samples.y_N[index]).backward()
        optimiser.step()
    for ours, expected in zip(model.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours, expected)


def test_tf32_holds_within_its_cell_alone():
    before = torch.get_float32_matmul_precision()
    with precision("tf32"):
        assert torch.get_float32_matmul_precision() == "high"
        with precision("f32"):
            assert torch.get_float32_matmul_precision() == "highest"
    assert torch.get_float32_matmul_precision() == before


def test_bfloat16_is_emulated_where_the_processor_does_not_say_otherwise(monkeypatch):
    cpu = torch.device("cpu")
    for has_it in (True, False):
        monkeypatch.setattr(machine, "has_bfloat16", lambda has_it=has_it: has_it)
        assert is_emulated("bf16", cpu) is not has_it
        assert not is_emulated("f32", cpu)


def test_every_sample_is_met_once_in_an_epoch():
    assert workload.shuffle(50, 0, 1).sort().values.tolist() == list(range(50))
    assert not torch.equal(workload.shuffle(50, 0, 1), workload.shuffle(50, 0, 2))


def test_scores_are_those_of_the_plain_formula():
    epochs, model, heldout = train()
    with torch.no_grad():
        log_share_NC = model(heldout.x_ND).log_softmax(dim=1)
    own_N = log_share_NC.gather(1, heldout.y_N.unsqueeze(1))
    nll, accuracy = score(model, heldout)
    assert nll == pytest.approx(-own_N.mean().item(), rel=1e-5)
    assert nll == epochs[-1].heldout_nll_nats
    right = (log_share_NC.argmax(dim=1) == heldout.y_N).float().mean().item()
    assert accuracy == pytest.approx(right)


@pytest.mark.slow
def test_the_published_task_can_be_learnt():
    learning = LearningSpec(num_samples=4000, num_heldout=500, num_epochs=6)
    epochs, _, heldout = train("dense_total", learning)
    assert epochs[-1].train_accuracy > 0.8
    assert epochs[-1].heldout_accuracy > heldout.majority_share() + 0.05
