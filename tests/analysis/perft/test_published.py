"""Published adapters: the numbers fit each other, and each statement is tried where it was made."""

import pandas as pd
import pytest

from moebench import published_perft, tables
from moebench.analysis.perft.published import redraw, statements, within
from tests.specs import ROOT

PATH = ROOT / "resources" / "published" / "perft.csv"
REFERENCE = ROOT / ".." / "shared" / "reference" / "derived_perft_final.csv"


@pytest.fixture(scope="module")
def published():
    return published_perft.read(PATH)


def verdict(published, statement, axis, loss="as published"):
    table = statements(published).set_index(["statement", "axis", "loss"])
    found = table.loc[(statement, axis, loss)]
    return bool(found["survives"]), int(found["num_held"]), int(found["num_compared"])


@pytest.mark.skipif(not REFERENCE.is_file(), reason="no copy of the reference numbers")
def test_every_published_run_is_there_as_it_was(published):
    known = pd.read_csv(REFERENCE).set_index("variant")
    mine = published.set_index("published_variant")
    assert set(mine.index) == set(known.index)
    for ours, theirs in (
        ("eval_loss_nats", "final_eval_loss_nats"),
        ("published_efficiency", "published_efficiency"),
        ("num_activated_lora_params", "activated_lora_params_per_token_all_layers"),
        ("num_trainable_lora_params", "trainable_lora_params_all_layers"),
        ("rank", "lora_rank"),
    ):
        assert mine[ours].to_dict() == pytest.approx(known[theirs].to_dict())


def test_parameters_that_do_not_follow_from_the_rank_are_refused(published, tmp_path):
    wrong = published.assign(num_activated_lora_params=published["num_activated_lora_params"] + 1)
    tables.write(wrong, tmp_path / "wrong.csv")
    with pytest.raises(tables.TableError, match="do not follow from variant and rank"):
        published_perft.read(tmp_path / "wrong.csv")


@pytest.mark.slow
def test_routed_over_embedded_over_single_does_not_survive(published):
    assert verdict(published, "routed is better than embedded", "rank") == (False, 1, 3)
    fails = statements(published).iloc[0]["fails_at"]
    assert "rank 32" in fails
    axis = "num_activated_lora_params"
    assert verdict(published, "embedded is better than single", axis) == (False, 2, 3)
    assert verdict(published, "routed is better than single", axis) == (True, 4, 4)


def test_on_the_published_axis_embedded_over_single_holds_and_routed_over_embedded_does_not(
    published,
):
    axis = "published_efficiency"
    assert verdict(published, "embedded is better than single", axis) == (True, 3, 3)
    assert verdict(published, "routed is better than embedded", axis)[0] is False


def test_the_auxiliary_loss_in_the_published_loss_turns_five_of_six_pairs(published):
    statement = "more adapters per token are better"
    assert verdict(published, statement, "top_k") == (False, 0, 6)
    assert verdict(published, statement, "top_k", "own auxiliary loss removed") == (False, 5, 6)


def test_a_budget_buys_the_best_that_costs_no_more():
    first = pd.DataFrame({"cost": [1.0, 4.0], "loss": [3.0, 1.0]})
    second = pd.DataFrame({"cost": [2.0, 3.0], "loss": [2.5, 2.8]})
    assert within(first, second, "cost") == [("2", False), ("3", False), ("4", True)]


def test_the_corrected_axis_changes_who_is_on_the_frontier(published):
    table = redraw(published).set_index("published_variant")
    assert table.loc["perft_r_top1of8_r16", "on_published_frontier"]
    assert not table.loc["perft_r_top1of8_r16", "on_frontier"]
    assert table.loc["perft_r_top1of4_r16", "on_frontier"]
    assert not table.loc["shared_adapter_r8", "on_frontier"]
