"""The published metrics do what was published, and the waterfall leads from there to ours.

Shapes: B windows of S tokens.
"""

import numpy as np
import pytest
import torch

from moebench import spec
from moebench.analysis.rates import tokens_per_s
from moebench.analysis.waterfall import tabulate_waterfall
from moebench.lm import legacy, waterfall
from moebench.lm.model import LanguageModel
from moebench.lm.waterfall import Clocked, identity_of, measure, train_in_turn
from moebench.records import Row
from moebench.setting import prepare
from moebench.spec.waterfall import REPAIRS, WaterfallSpec
from tests.lm.texts import learnable_tokens
from tests.specs import run_spec

TINY = {
    "seeds": [0, 1],
    "interval": 4,
    "num_validation_tokens": 24,
    "model": {"num_layers": 1, "dim": 8, "num_heads": 2, "num_experts": 4},
    "training": {"seq_len": 8, "batch_size": 4, "num_steps": 3, "warmup_steps": 1,
                 "device": "cpu", "dtype": "float32"},
}  # fmt: skip
NUM_STAGES = len(REPAIRS) + 1


@pytest.fixture(scope="module")
def tokens():
    return learnable_tokens()


@pytest.fixture(scope="module")
def rows(tokens):
    return measure(WaterfallSpec(**TINY), "tales", "char", tokens, code="test")


def cells(**changes):
    return list(WaterfallSpec(**TINY | changes).cells("tales", "char"))


def test_windows_begin_at_every_offset_and_score_a_token_up_to_s_times(tokens):
    batches = list(legacy.overlapping_windows(tokens, 24, batch_size=4, seq_len=8))
    target_WS = torch.cat([target_BS for _, target_BS in batches])
    assert target_WS.shape == (24 - 8 + 1, 8)
    expected_WS = tokens.validation_N[:24].unfold(0, 8, 1)
    assert target_WS.equal(expected_WS)
    assert torch.cat([input_BS for input_BS, _ in batches])[1:, 1:].equal(target_WS[1:, :-1])


def test_a_capped_perplexity_hides_divergence():
    assert legacy.capped_perplexity(2.0) == pytest.approx(np.exp(2))
    assert legacy.capped_perplexity(1e9) == pytest.approx(np.exp(20))


def test_the_published_rate_is_too_high_by_the_interval():
    true = tokens_per_s(512 * 200, elapsed_s=40.0)
    assert legacy.tokens_per_s(512, 200, elapsed_s=40.0) == pytest.approx(200 * true)


@pytest.mark.parametrize(
    ("E", "D", "std"),
    [
        (4, 16, (2 / (20 * 64)) ** 0.5),
        pytest.param(8, 256, 0.00272, marks=pytest.mark.slow),  # as was found in published models
        pytest.param(32, 512, 0.00134, marks=pytest.mark.slow),
    ],
)
def test_experts_shrink_to_the_spread_of_the_published_models(E, D, std):
    run = run_spec("softk", num_layers=1, dim=D, num_heads=4, num_experts=E)
    model = LanguageModel(run, vocab_size=5, token_count_V=torch.ones(5))
    before = [weight.clone() for weight in model.moe_layers()[0].experts.w_in]
    legacy.shrink_experts(model)
    for old, weight in zip(before, model.moe_layers()[0].experts.w_in, strict=True):
        assert weight.std().item() == pytest.approx(std, rel=0.1 if D == 16 else 0.01)
        torch.testing.assert_close(weight / weight.std(), old / old.std())


def test_repairs_of_the_clock_act_one_by_one():
    clock = Clocked(num_tokens=100, interval=20, step_s=0.01, validation_s=0.8)
    rates = [clock.rate(REPAIRS[:stage]) for stage in range(3)]
    assert rates == pytest.approx([20 * 2000, 2000, 10_000])
    assert clock.rate(["validation_time"]) == pytest.approx(20 * 10_000)


def test_the_first_stage_is_all_legacy_and_the_last_is_ours():
    found = cells(seeds=[0])
    assert [cell.stage for cell in found] == sorted(5 * list(range(NUM_STAGES)))
    first, last = found[:5], found[-5:]
    assert all(cell.run.router == f"legacy_{cell.router}" for cell in first)
    assert all(cell.run.router == cell.router for cell in last)
    assert {cell.run.training.balance_coef for cell in first} == {0.0}
    assert {cell.run.training.z_coef for cell in last} == {0.0, 0.001}  # hash has no gate
    assert [cell.repair for cell in found[::5]] == ["published", *REPAIRS]


def test_one_repair_changes_one_thing_and_repairs_of_metrics_train_nothing_anew():
    found = cells(seeds=[0])
    stages = [found[5 * stage : 5 * stage + 5] for stage in range(NUM_STAGES)]
    changed = [
        [new.router for old, new in zip(before, after, strict=True)
         if identity_of(old) != identity_of(new)]
        for before, after in zip(stages, stages[1:], strict=False)
    ]  # fmt: skip
    routers = [cell.router for cell in stages[0]]
    assert changed == [
        [], [], [], routers, ["top1", "topk_hard"],
        ["top1", "topk_hard", "softk", "expert_choice"], ["hash"], ["expert_choice"], [],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"order": list(REPAIRS[1:])}, "order: interval missing; name each repair once"),
        ({"order": [*REPAIRS, "clamp"]}, "'clamp' stands twice"),
        ({"num_validation_tokens": 8}, "must be more than training.seq_len=8"),
        ({"routers": ["sinkhorn"]}, "Input should be 'top1'"),
    ],
)
def test_a_waterfall_that_cannot_be_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        WaterfallSpec(**TINY | changes)


def test_too_little_held_out_text_is_refused_in_one_line(tokens):
    asked = WaterfallSpec(**TINY | {"num_validation_tokens": 10**6})
    with pytest.raises(ValueError, match="num_validation_tokens=1000000 are more than the"):
        measure(asked, "tales", "char", tokens, code="test")


@pytest.mark.slow
def test_every_cell_has_a_row_with_its_recipe(rows):
    assert len(rows) == 2 * NUM_STAGES * 5
    assert {row.spec["experiment"] for row in rows} == {"waterfall"}
    for row in rows:
        spec.RunSpec(**{key: row.spec[key] for key in spec.RunSpec.model_fields})
        assert len(row.spec["repaired"]) == row.spec["stage"]
        is_legacy = row.spec["trained_as"].startswith("legacy_")
        assert row.spec["trained_as"].removeprefix("legacy_") == row.spec["router"]
        assert is_legacy or row.spec["stage"] >= 5


@pytest.mark.slow
def test_the_last_repair_scores_expert_choice_without_later_tokens_and_nobody_else_anew(rows):
    stages = [[row for row in rows if row.spec["stage"] == stage] for stage in (8, 9)]
    for before, after in zip(*stages, strict=True):
        assert before.spec["router"] == after.spec["router"]
        is_new = before.values["val_nll_nats"] != after.values["val_nll_nats"]
        assert is_new == (after.spec["router"] == "expert_choice")
        if is_new:
            classes = before.values["causality"], after.values["causality"]
            assert classes == ("non-causal", "token-local")


def test_models_take_their_steps_in_turn_and_every_step_is_clocked(tokens, monkeypatch):
    visits = []
    clocked = waterfall.timed_step

    def seen(trainer, tokens, step):
        visits.append((step, id(trainer)))
        return clocked(trainer, tokens, step)

    monkeypatch.setattr(waterfall, "timed_step", seen)
    mine = cells(seeds=[0], routers=["softk", "hash"])
    models = train_in_turn(mine, tokens, prepare("cpu", "float32", 1))
    assert set(models) == {identity_of(cell) for cell in mine}
    assert len(models) == 6
    rounds = [visits[at : at + 6] for at in range(0, len(visits), 6)]
    assert [{step for step, _ in each} for each in rounds] == [{1}, {2}, {3}]
    everybody = {id(each.trainer) for each in models.values()}
    assert all({who for _, who in each} == everybody for each in rounds)
    assert len({tuple(who for _, who in each) for each in rounds}) > 1, "in a new order"
    assert all(len(each.step_s) == 3 and min(each.step_s) > 0 for each in models.values())


def test_a_model_learns_the_same_in_turn_as_alone(tokens):
    setting = prepare("cpu", "float32", 1)
    mine = cells(seeds=[0], routers=["softk", "top1"])
    together = train_in_turn(mine, tokens, setting)
    [alone] = train_in_turn([mine[-2]], tokens, setting).values()
    state = together[identity_of(mine[-2])].trainer.model.state_dict()
    for name, values in alone.trainer.model.state_dict().items():
        assert torch.equal(values, state[name]), name


@pytest.mark.slow
def test_repairs_of_the_clock_leave_the_loss_and_change_the_rate_by_the_interval(rows):
    table = tabulate_waterfall(rows, np.random.default_rng(0)).set_index(["stage", "router"])
    assert (table.loc[1, "nll_change_nats"] == 0).all()
    assert table.loc[1, "speed_ratio"].to_numpy() == pytest.approx([1 / 4] * 5)
    assert (table.loc[2, "speed_ratio"] > 1).all()
    assert (table.loc[3, "speed_ratio"] == 1).all()
    assert (table.loc[3, "nll_change_nats"] != 0).all()


def planted(stage, router, seed, nll, speed=1000.0):
    keys = {"stage": stage, "repair": ["published", "interval"][stage], "router": router}
    return Row(
        kind="waterfall",
        spec=keys | {"trained_as": router, "seed": seed},
        setting={},
        values={"val_nll_nats": nll, "val_ppl": float(np.exp(nll)), "tokens_per_s": speed,
                "causality": "token-local"},
    )  # fmt: skip


def test_changes_are_paired_by_seed_and_ranks_say_how_sure_they_are():
    rng = np.random.default_rng(0)
    rows = [
        planted(stage, router, seed, 2 + level - 0.1 * stage + seed + 0.001 * rng.normal(),
                speed=1000 / (1 + stage))
        for stage in (0, 1) for level, router in enumerate(("a", "b")) for seed in range(3)
    ]  # fmt: skip
    table = tabulate_waterfall(rows, rng).set_index(["stage", "router"])
    change = table.loc[(1, "a")]
    assert change["nll_change_nats"] == pytest.approx(-0.1, abs=0.01)
    assert change["nll_change_nats_high"] < 0
    assert change["val_nll_nats_high"] - change["val_nll_nats_low"] > 1  # seeds differ, pairs not
    assert change["speed_ratio"] == pytest.approx(0.5)
    assert table["rank"].tolist() == [1, 2, 1, 2]
    assert (table["rank_low"] == table["rank_high"]).all()
    assert table.loc[0, "nll_change_nats"].isna().all()


def test_routers_that_do_not_differ_have_no_certain_rank():
    rng = np.random.default_rng(1)
    rows = [planted(0, r, seed, 2 + rng.normal()) for r in "abc" for seed in range(3)]
    table = tabulate_waterfall(rows, rng)
    assert (table["rank_low"] == 1).all()
    assert (table["rank_high"] == 3).all()


@pytest.mark.slow
def test_one_seed_gives_no_interval(rows):
    alone = [row for row in rows if row.spec["seed"] == 0]
    table = tabulate_waterfall(alone, np.random.default_rng(0))
    for column in ("val_nll_nats_low", "tokens_per_s_high", "rank_low", "nll_change_nats_low"):
        assert table[column].isna().all()
