"""Tables of adapters: numbers known beforehand come out, and unlike rows refuse to be pooled."""

import numpy as np
import pytest

from moebench import tables
from moebench.analysis.perft import arms, schemas, tabulate
from moebench.analysis.perft.contrasts import contrasts, pairs
from moebench.analysis.perft.tabulate import curves, summarise, tabulate_runs
from moebench.records import Row
from moebench.spec.adapters import AdapterSpec
from tests.analysis.perft.synthetic import ARMS, BASE_NATS, rows, spec, without


@pytest.fixture(autouse=True)
def _few_draws(monkeypatch):
    monkeypatch.setattr(tabulate, "NUM_DRAWS", 200)


def summary(found=None, seed=0):
    table = summarise(found or rows(), np.random.default_rng(seed))
    return table.set_index("arm")


def verdicts(found=None, quantity="answer_nll_nats"):
    table = contrasts(found or rows())
    table = table[table["quantity"] == quantity]
    return {(each.factor, each.arm_a, each.arm_b): each.verdict for each in table.itertuples()}


S4, S16 = "single_rank=4", "single_rank=16"
R, E4 = "routed_rank=4_num_adapters=4_top_k=1", "embedded_rank=4"
FROZEN, LEGACY = f"{R}_router=frozen", f"{R}_legacy_weighting=True"


def test_one_line_per_run_with_the_perplexity_of_its_loss():
    table = tabulate_runs(rows())
    assert len(table) == len(ARMS) * 3
    assert np.allclose(np.log(table["answer_ppl"]), table["answer_nll_nats"])


def test_a_summary_has_the_mean_over_seeds_and_an_interval_that_encloses_it():
    table = summary(rows(noise=0.0))
    assert table.loc[S4, "answer_nll_nats"] == pytest.approx(1.50 + 0.2)
    assert table.loc[S4, "accuracy"] == pytest.approx(0.40)
    half = 4.302652729911275 * 0.2 / np.sqrt(3)  # Student's t at 2 degrees of freedom
    assert table.loc[S4, "answer_nll_nats_high"] == pytest.approx(1.7 + half)
    assert np.log(table.loc[S4, "answer_ppl_low"]) == pytest.approx(1.7 - half)
    assert (table["base_answer_nll_nats"] == BASE_NATS).all()


def test_one_seed_gives_scores_but_no_interval_and_no_verdict():
    table = summary(rows(seeds=(0,)))
    for column in ("answer_nll_nats_low", "accuracy_high", "p_on_frontier_ppl"):
        assert table[column].isna().all()
    assert contrasts(rows(seeds=(0,)))["verdict"].isna().all()


def test_a_lower_loss_and_a_higher_accuracy_are_better():
    table = contrasts(rows()).dropna(subset=["verdict"])
    told = set(zip(table["quantity"], table["verdict"], table["conclusion"], strict=True))
    assert ("answer_nll_nats", "higher", "worse") in told
    assert ("accuracy", "lower", "worse") in told
    assert not told & {("answer_nll_nats", "higher", "better"), ("accuracy", "lower", "better")}
    assert table.groupby("quantity")["margin"].first().to_dict() == pytest.approx(
        {"accuracy": 0.02, "answer_nll_nats": np.log(1.005)}
    )


def test_the_interval_over_questions_is_that_of_a_share_of_so_many():
    table = summary(rows(noise=0.0))
    low, high = table.loc[S4, ["accuracy_questions_low", "accuracy_questions_high"]]
    assert (low, high) == pytest.approx((0.3346, 0.4692), abs=2e-4)  # Wilson, 80 of 200


def test_the_frontier_weighs_score_against_activated_parameters_without_the_legacy_arm():
    table = summary(rows(noise=0.0))
    size = table["num_activated_trainable_params"]
    assert size[S4] == size[FROZEN] < size[R] < size[E4] < size[S16]
    # The legacy arm scores best of all and costs as much as the routed one, but is no answer.
    assert set(table.index[table["on_frontier_ppl"]]) == {FROZEN, E4, S16}
    assert set(table.index[table["on_frontier_accuracy"]]) == {FROZEN, S16}
    assert np.isnan(table.loc[LEGACY, "p_on_frontier_ppl"])
    surely = table["p_on_frontier_ppl"].drop(LEGACY) > 0.9
    assert set(surely.index[surely]) == {FROZEN, E4, S16}


def test_step_times_are_medians_of_the_timing_job():
    table = summary()
    assert table.loc[S4, "train_time_s"] == pytest.approx(0.1)
    assert table.loc[S16, "train_time_s"] == pytest.approx(0.11)
    assert (table["train_time_s_low"] <= table["train_time_s"]).all()


def test_pairs_differ_in_one_thing_only():
    found = verdicts()
    assert ("rank", S4, S16) in found
    assert ("variant", S4, R) in found
    assert ("variant", R, E4) in found
    assert ("router", R, FROZEN) in found
    assert ("legacy_weighting", R, LEGACY) in found
    for a, b in ((S16, R), (FROZEN, LEGACY), (S4, FROZEN), (S4, LEGACY), (LEGACY, E4)):
        assert not [key for key in found if set(key[1:]) == {a, b}]


def test_a_fixed_alpha_confounds_rank_with_gain_so_that_ranks_are_not_compared():
    fixed = {
        f"r{rank}": (AdapterSpec(variant="single", rank=rank, alpha=32.0), 1.0, 0.5)
        for rank in (8, 16)
    }
    known = arms.final_rows(rows(fixed)).drop_duplicates("arm").to_dict("records")
    assert pairs(known) == {}


def test_clear_gaps_have_a_direction_and_equal_arms_tie():
    by_loss, by_accuracy = verdicts(), verdicts(quantity="accuracy")
    assert by_loss["variant", S4, R] == "higher"
    assert by_accuracy["variant", S4, R] == "lower"
    assert by_loss["router", R, FROZEN] == by_accuracy["router", R, FROZEN] == "tie"
    assert by_loss["legacy_weighting", R, LEGACY] == "higher"


def test_what_a_seed_does_to_every_arm_is_no_difference_between_them():
    """Seeds lie 0.2 nats apart, ten times the gap below; paired, the gap is found all the same."""
    close = dict(ARMS, routed=(ARMS["routed"][0], 1.27, 0.5), frozen=(ARMS["frozen"][0], 1.30, 0.5))
    assert verdicts(rows(close))["router", R, FROZEN] == "lower"


def test_curves_keep_every_step_and_seed():
    table = curves(rows())
    mine = table[(table["arm"] == R) & (table["seed"] == 1)]
    assert mine["quantity"].value_counts().to_dict() == {
        "train_loss_nats": 4,
        "accuracy": 2,
        "answer_nll_nats": 2,
    }


def test_arms_that_lack_a_seed_or_have_it_twice_are_named():
    found = rows()
    lacking = [
        row
        for row in found
        if not (row.spec["seed"] == 2 and row.spec["adapter"]["variant"] == "embedded")
    ]
    with pytest.raises(ValueError, match="embedded_rank=4 lacks seed 2"):
        summary(lacking)
    twice = [*found, *[row for row in found if row.kind == "final" and row.spec["seed"] == 1][:1]]
    with pytest.raises(ValueError, match="seed 1 occurs twice for single_rank=4"):
        summary(twice)


def test_runs_on_other_questions_do_not_compare():
    found = rows()
    found[6].values["num_scored_questions"] = 100
    assert found[6].kind == "final"
    with pytest.raises(ValueError, match=r"runs differ in num_scored_questions \(100, 200\)"):
        tabulate_runs(found)


def test_runs_that_do_not_start_from_one_base_are_refused():
    found = rows()
    assert found[0].kind == "validation"
    found[0].values["answer_nll_nats"] = BASE_NATS + 0.5
    with pytest.raises(ValueError, match=r"before the first step the runs score 2\.0000 to 2\.5"):
        summary(found)


@pytest.mark.parametrize(
    ("kind", "said"),
    [("final", "no final row"), ("timed_step", "no timed step")],
)
def test_missing_rows_are_named_with_what_makes_them(kind, said):
    with pytest.raises(ValueError, match=said):
        summary(without(rows(), kind=kind))


def test_a_timed_arm_that_was_not_trained_is_named():
    extra = AdapterSpec(variant="dense", rank=4, options={"num_adapters": 2})
    timed = [
        Row(kind="timed_step", spec=spec(extra), setting=row.setting, values=row.values)
        for row in rows()
        if row.kind == "timed_step"
    ][:9]
    with pytest.raises(ValueError, match="differ in dense_rank=4_num_adapters=2"):
        summary([*rows(), *timed])


def test_tables_read_back_as_they_were_written(tmp_path):
    table = summarise(rows(), np.random.default_rng(0))
    tables.write(table, tmp_path / "summary.csv")
    again = tables.read(tmp_path / "summary.csv", schemas.SUMMARY)
    assert again.equals(table)
