"""From rows to tables: nothing lost, nothing invented, nothing mixed."""

import dataclasses
import random

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from moebench import tables
from moebench.analysis.contrasts import contrasts
from moebench.analysis.experiment import tabulate
from moebench.analysis.runs import as_of, curves, loads, tabulate_runs
from moebench.analysis.schemas import CONTRASTS, CURVES, LOADS, RUNS, SUMMARY
from moebench.analysis.schemas_frontier import ATTAINMENT, HYPERVOLUME, SPEED_UP
from moebench.analysis.summary import summarise
from moebench.spec import BASELINES, StatisticsSpec
from tests import rows as synthetic


@pytest.fixture(scope="module")
def rows():
    return synthetic.plausible()


def summary_of(rows):
    return summarise(rows, np.random.default_rng(0))


MAKERS = [
    pytest.param(tabulate_runs, RUNS, id="runs"),
    pytest.param(summary_of, SUMMARY, id="summary"),
    pytest.param(curves, CURVES, id="curves"),
    pytest.param(loads, LOADS, id="loads"),
    pytest.param(contrasts, CONTRASTS, id="contrasts"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("make", "schema"), MAKERS)
def test_table_reads_back_as_it_was_written(make, schema, rows, tmp_path):
    table = make(rows)
    tables.write(table, tmp_path / "table.csv")
    back = tables.read(tmp_path / "table.csv", schema)
    pd.testing.assert_frame_equal(back, table, check_exact=True)
    tables.write(back, tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "table.csv").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(("make", "schema"), MAKERS)
def test_order_of_rows_does_not_change_a_byte(make, schema, rows, tmp_path):
    shuffled = random.Random(0).sample(rows, len(rows))
    tables.write(make(rows), tmp_path / "a.csv")
    tables.write(make(shuffled), tmp_path / "b.csv")
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


@pytest.mark.slow
def test_tables_of_the_frontier_read_back_and_know_no_order_of_rows(rows, tmp_path):
    shuffled = random.Random(0).sample(rows, len(rows))
    made, again = (tabulate(each, StatisticsSpec()) for each in (rows, shuffled))
    for name, schema in (
        ("attainment", ATTAINMENT), ("hypervolume", HYPERVOLUME), ("speed_up", SPEED_UP)
    ):  # fmt: skip
        assert len(made[name])
        tables.write(made[name], tmp_path / "table.csv")
        back = tables.read(tmp_path / "table.csv", schema)
        pd.testing.assert_frame_equal(back, made[name], check_exact=True)
        tables.write(again[name], tmp_path / "again.csv")
        assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "table.csv").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("make", [tabulate_runs, summary_of])
def test_rate_times_time_is_tokens_in_every_line(make, rows):
    table = make(rows)
    tokens = table["train_tokens_per_s"] * table["train_time_s"]
    assert tokens.to_numpy() == pytest.approx(table["train_tokens"].to_numpy(), rel=1e-12)
    assert (table["train_tokens"] == synthetic.TOKENS_PER_STEP).all()


@pytest.mark.slow
@pytest.mark.parametrize("make", [tabulate_runs, summary_of])
def test_a_rate_that_was_multiplied_by_the_interval_is_refused(make, rows):
    with pytest.raises(tables.TableError, match="is not train_tokens"):
        make([changed(row, "timed_step", train_tokens_per_s=200.0) for row in rows])


def test_a_step_shorter_than_its_parts_is_refused(rows):
    with pytest.raises(tables.TableError, match="parts of a step"):
        tabulate_runs([changed(row, "timed_step", backward_s=9.0) for row in rows])


@pytest.mark.slow
@pytest.mark.parametrize(
    "value", [{"drop_rate": 1.2}, {"load_cv": -0.1}, {"causality": "maybe"}, {"val_ppl": 0.5}]
)
def test_a_value_out_of_range_is_refused_in_one_line(value, rows):
    with pytest.raises(tables.TableError, match=next(iter(value))) as error:
        tabulate_runs([changed(row, "final", **value) for row in rows])
    assert "\n" not in str(error.value)


def test_a_run_that_diverged_is_refused_not_averaged(rows):
    with pytest.raises(ValueError, match="dense diverged at seed 0"):
        summary_of([changed(row, "final", val_nll_nats=float("inf")) for row in rows])


@pytest.mark.slow
def test_there_is_one_line_per_run_and_one_per_arm(rows):
    runs, summary = tabulate_runs(rows), summary_of(rows)
    assert len(runs) == 12 * 3
    assert len(summary) == 12
    assert (summary["num_seeds"] == 3).all()
    assert summary.loc[summary.router == "dense", "capacity_factor"].isna().all()
    assert summary.set_index(["router", "capacity_factor"])["top_k"]["top1", 1.0] == 1


def test_runs_hold_every_scalar_and_no_list(rows):
    final = next(row for row in rows if row.kind == "final" and row.spec["router"] == "softk")
    scalars = {key for key, value in final.values.items() if not isinstance(value, list)}
    columns = set(tabulate_runs(rows))
    assert scalars <= columns
    assert not columns & (final.values.keys() - scalars)
    assert {"device", "dtype", "threads", "is_oversubscribed", "commit", "code_digest"} <= columns


@pytest.mark.slow
def test_summary_is_made_of_its_runs(rows):
    runs, summary = tabulate_runs(rows), summary_of(rows)
    one = runs[(runs.router == "softk") & (runs.capacity_factor == 1.25)]
    line = summary[(summary.router == "softk") & (summary.capacity_factor == 1.25)].iloc[0]
    assert line.val_nll_nats == pytest.approx(one.val_nll_nats.mean())
    t_interval = stats.ttest_1samp(one.val_nll_nats, 0).confidence_interval(0.95)
    assert (line.val_nll_nats_low, line.val_nll_nats_high) == pytest.approx(t_interval)
    assert line.val_ppl == pytest.approx(np.exp(one.val_nll_nats.mean()))
    assert line.val_ppl_low == pytest.approx(np.exp(line.val_nll_nats_low))
    assert line.train_tokens_per_s == one.train_tokens_per_s.iloc[0]
    assert line.train_tokens_per_s_low < line.train_tokens_per_s < line.train_tokens_per_s_high
    assert line.peak_resident_bytes == one.peak_resident_bytes.max()


def test_a_score_with_later_tokens_in_view_brings_nobody_onto_the_frontier(rows):
    seen = {"val_nll_nats": 0.5, "val_bits_per_byte": 0.5 / np.log(2)}  # a token a byte
    best = [
        changed(row, "final", **seen) if row.spec["router"] == "expert_choice" else row
        for row in rows
    ]
    summary = summary_of(best).set_index("router")
    assert not summary.loc["expert_choice", "on_frontier"].any()
    assert (summary.loc["expert_choice", "p_on_frontier"] < 0.05).all()
    assert (summary.loc["expert_choice", "val_nll_nats"] == 0.5).all()
    bits = summary["val_bits_per_byte_causal"].to_numpy()
    assert bits == pytest.approx(summary["val_nll_causal_nats"].to_numpy() / np.log(2))
    assert summary["on_frontier"].any()


def test_one_seed_gives_scores_without_intervals():
    rows = synthetic.plausible(seeds=(0,))
    summary, found = summary_of(rows), contrasts(rows)
    for quantity in ("val_nll_nats_low", "val_ppl_high", "p_on_frontier"):
        assert summary[quantity].isna().all()
    assert summary["train_tokens_per_s_low"].notna().all()
    assert found["verdict"].isna().all()
    assert summary["on_frontier"].any()


def test_a_missing_seed_is_named(rows):
    without = [row for row in rows if not is_run(row, "softk", 1.25, 2)]
    for make in (tabulate_runs, summary_of, contrasts):
        with pytest.raises(ValueError, match=r"softk at capacity_factor=1.25 lacks seed 2"):
            make(without)


def test_a_run_that_is_given_twice_is_named(rows):
    twice = [*rows, *(row for row in rows if is_run(row, "hash", 1.0, 1))]
    with pytest.raises(ValueError, match=r"seed 1 occurs twice for hash at capacity_factor=1.0"):
        tabulate_runs(twice)


def test_a_missing_round_is_named(rows):
    holed = [r for r in rows if not (is_run(r, "top1", 1.0, 0) and r.values.get("round") == 7)]
    with pytest.raises(ValueError, match=r"top1 at capacity_factor=1.0 lacks round 7"):
        summary_of(holed)


@pytest.mark.parametrize(
    ("kind", "message"),
    [("timed_step", "dense was trained but not timed"), ("final", "dense was timed but not train")],
)
def test_an_arm_that_was_only_trained_or_only_timed_is_named(kind, message, rows):
    some = [row for row in rows if row.kind != kind or row.spec["router"] != "dense"]
    for make in (tabulate_runs, summary_of):
        with pytest.raises(ValueError, match=message):
            make(some)


def test_runs_on_different_texts_do_not_share_a_table(rows):
    other = [
        dataclasses.replace(row, spec=row.spec | {"corpus": "other"})
        if row.spec["router"] == "hash"
        else row
        for row in rows
    ]
    with pytest.raises(ValueError, match=r"differ in corpus \(other, text\)"):
        tabulate_runs(other)


@pytest.mark.parametrize("make", [tabulate_runs, summary_of, curves, loads, contrasts])
def test_no_rows_make_no_table(make):
    with pytest.raises(ValueError, match="among the given rows"):
        make([])


def test_curves_hold_every_value_once(rows):
    table = curves(rows)
    key = ["router", "capacity_factor", "seed", "step", "quantity"]
    assert not table.duplicated(key).any()
    steps, scored = synthetic.NUM_STEPS, synthetic.NUM_STEPS // 2
    assert len(table) == 36 * (3 * steps + 3 * scored) + 30 * (2 * scored + 2 * (1 + scored))


def test_loads_hold_the_share_of_every_expert_at_every_scoring(rows):
    table = loads(rows)
    by_layer = table.groupby(["router", "capacity_factor", "seed", "step", "layer"])["share"].sum()
    assert by_layer.to_list() == pytest.approx([1.0] * (30 * 2 * 2))
    first = table[table["expert"] == 0].groupby("step")["share"].first()
    assert first.to_dict() == {2: pytest.approx(2 / 32), 4: 0.0}
    assert (table["fair_share"] == 0.25).all()
    assert not set(table["router"]) & set(BASELINES)


def test_rows_taken_from_another_experiment_are_those_of_the_one_that_takes_them(rows):
    other = [dataclasses.replace(row, spec=row.spec | {"experiment": "x"}) for row in rows[:100]]
    mixed = [*other, *rows[100:]]
    with pytest.raises(ValueError, match="runs differ in experiment"):
        tabulate_runs(mixed)
    assert set(tabulate_runs(as_of(mixed, "mine"))["experiment"]) == {"mine"}


def test_another_swept_setting_is_named_and_kept_apart():
    rows = []
    for top_k in (1, 2):
        for seed in (0, 1):
            spec = synthetic.run_spec("softk", 1.0, seed, top_k=top_k)
            rows += [*synthetic.curve(spec, 2.0), synthetic.final(spec, 2.0 - 0.1 * top_k)]
        rows += [synthetic.timed_step(spec, round, 0.1 * top_k) for round in range(6)]
    assert summary_of(rows)["config_top_k"].tolist() == [1, 2]
    assert set(curves(rows)["config_top_k"]) == {1, 2}
    assert contrasts(rows)[["factor", "value_a", "value_b"]].to_numpy().tolist() == [
        ["config_top_k", "1", "2"]
    ]


def changed(row, kind, **values):
    if row.kind != kind:
        return row
    return dataclasses.replace(row, values=row.values | values)


def is_run(row, router, capacity_factor, seed):
    spec = row.spec
    found = (spec["router"], spec["model"]["capacity_factor"], spec["seed"])
    return found == (router, capacity_factor, seed)
