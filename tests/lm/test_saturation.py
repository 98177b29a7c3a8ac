"""Saturation is what is counted by hand, and a run says how it came to its final routing."""

import pytest
import torch

from moebench.lm.saturation import sample_routing, saturations
from moebench.lm.train import train
from moebench.lm.trainer import Trainer
from moebench.setting import prepare
from tests.lm.texts import learnable_tokens
from tests.specs import run_spec


def asked(*experts_TK):
    """Who asks for whom in one layer of four experts."""
    experts_TK = torch.tensor(experts_TK)
    return torch.zeros(1, len(experts_TK), 4, dtype=torch.bool).scatter(2, experts_TK[None], True)


def test_saturation_is_the_share_of_final_choices_made_already():
    early, late = asked([0, 1], [2, 3], [0, 2]), asked([0, 1], [2, 0], [1, 3])
    first, last = saturations({0: early, 5: late})
    assert first == {
        "step": 0,
        "saturation": pytest.approx(3 / 6),
        # loads 2 1 2 1 then and 2 2 1 1 at the end, dealt out to three tokens
        "saturation_chance": pytest.approx((4 + 2 + 2 + 1) / 3 / 6),
    }
    assert (last["step"], last["saturation"]) == (5, 1.0)


def test_chance_is_what_shuffled_tokens_give():
    generator = torch.Generator().manual_seed(0)
    draws = [torch.rand(1, 4000, 4, generator=generator) for _ in range(2)]
    one, other = (
        torch.zeros(1, 4000, 4, dtype=torch.bool).scatter(2, each.topk(2).indices, True)
        for each in draws
    )
    one[..., 0] = True  # an expert that everybody asks for
    [first, _] = saturations({0: one, 1: other})
    assert first["saturation"] == pytest.approx(first["saturation_chance"], abs=0.02)


def test_a_sample_is_the_first_held_out_batch_before_capacity():
    spec = run_spec("softk", capacity_factor=0.5)
    model = Trainer(spec, learnable_tokens(), prepare("cpu", "float32", 1)).model
    found = sample_routing(model, learnable_tokens(), prepare("cpu", "float32", 1))
    assert found.shape == (2, 4 * 16, 4)
    assert (found.sum(dim=2) == 2).all()


def test_a_run_tells_its_saturation_from_before_the_first_step_to_the_last(tmp_path):
    spec = run_spec("softk", training={"learning_rate": 3e-2})
    rows = train(spec, learnable_tokens(), tmp_path / "c.pt", code="test")
    told = [row.values for row in rows if row.kind == "saturation"]
    assert [each["step"] for each in told] == [0, 6, 12]
    assert told[-1]["saturation"] == 1
    assert told[0]["saturation"] < 1
    for each in [row.values for row in rows if row.kind == "validation"]:
        assert [sum(load_E) for load_E in each["load_routed_LE"]] == [2 * 700] * 2
        assert each["num_dead_experts"] >= 0


@pytest.mark.parametrize(("router", "expected"), [("hash", [1.0, 1.0, 1.0]), ("dense", [])])
def test_a_fixed_table_is_saturated_from_the_start_and_a_dense_network_never(
    router, expected, tmp_path
):
    rows = train(run_spec(router), learnable_tokens(), tmp_path / "c.pt", code="test")
    found = [row.values["saturation"] for row in rows if row.kind == "saturation"]
    assert found == expected
