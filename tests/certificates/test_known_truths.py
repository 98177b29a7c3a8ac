"""Who steals the future, and who does not: the order is known, and toys must find it."""

import pytest
import torch

from moebench.analysis.certificates import verdict
from moebench.lm.certificate import certify, floor
from moebench.spec import CertificatesSpec
from tests.specs import run_spec

TOY = {"num_experts": 4, "top_k": 1, "num_steps": 250, "warmup_steps": 40, "learning_rate": 1e-2}
SIZES = {"vocab_size": 16, "num_trials": 2, "num_batches": 40}


def certified(router, policy, pool):
    room = CertificatesSpec.model_validate({"toy": TOY})
    [toy] = room.toys(run_spec(router, drop_policy=policy, pool=pool))
    return certify.probe_toy(toy, SIZES)


@pytest.mark.slow
def test_who_looks_ahead_in_its_own_sequence_steals_and_an_expert_more_than_a_drop():
    choice = certified("expert_choice", "none", "sequence")
    drop = certified("top1", "gate", "sequence")
    assert drop["leak_nats_low"] > verdict.SMALLEST_LEAK_NATS
    assert choice["leak_nats_low"] > drop["leak_nats_high"]
    for values in (choice, drop):
        assert values["future_routes_changed"] > 0
        assert verdict.found(values) == values["declared"] == "non-causal"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("router", "policy", "pool", "expected"),
    [
        ("top1", "position", "sequence", "prefix-causal"),
        ("top1", "none", "batch", "token-local"),
        ("expert_threshold", "none", "batch", "token-local"),
        ("expert_choice_position", "none", "batch", "batch-coupled"),
    ],
)
def test_who_does_not_look_ahead_stays_at_the_floor(router, policy, pool, expected):
    values = certified(router, policy, pool)
    assert values["leak_nats_high"] < 0.002
    assert values["leak_nats_low"] > -0.02, "the toy has learnt that tokens are uniform"
    assert values["future_output_change"] < 1e-9
    assert verdict.found(values) == values["declared"] == expected


def test_losses_below_the_floor_are_a_leak_with_an_interval():
    found = floor.below(2.0, torch.tensor([1.8, 1.9, 2.0]))
    assert found.leak_nats == pytest.approx(0.1)
    assert found.leak_nats_low < 0 < 0.1 < found.leak_nats_high
    assert found.heldout_nats == pytest.approx(1.9)


def test_batches_to_train_on_and_to_score_on_are_drawn_anew_and_alike_for_all():
    tokens = floor.uniform(16)
    first, again, other = (tokens.training_batch(0, step, 8, 16)[0] for step in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.min() == 0
    assert first.max() == 15


def test_a_lie_ends_the_job_in_one_line():
    values = {
        "declared": "token-local", "leak_nats": 0.1, "leak_nats_low": 0.09,
        **{f"{probe}_output_change": 0.4 for probe in ("future", "mates", "past")},
        **{f"{probe}_routes_changed": 0.4 for probe in ("future", "mates", "past")},
    }  # fmt: skip
    with pytest.raises(
        ValueError, match="'softk' declares to be token-local and is non-causal"
    ) as e:
        certify.check_declaration("softk", values)
    assert "\n" not in str(e.value)
    assert "40.0% of earlier tokens" in str(e.value)
    certify.check_declaration("softk", values | {"declared": "non-causal"})
