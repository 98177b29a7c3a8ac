"""Verdicts on this run: intervals decide, and nothing is supported for want of data."""

import ast

import numpy as np
import pandas as pd
import pytest
import yaml

from moebench.analysis.claims import entries, known_tables, language, readings
from moebench.analysis.claims.evaluate import judge
from moebench.analysis.claims.later_tokens import in_view
from moebench.analysis.claims.ledger import ledger
from moebench.analysis.claims.schemas import CLAIMS
from moebench.analysis.claims.smallest import smallest_effect
from moebench.analysis.claims.view import View
from moebench.analysis.runs import tabulate_runs
from moebench.analysis.summary import summarise
from moebench.spec.problems import ConfigError
from moebench.tables import TableError, check
from tests import rows


def cells(a, b, half):
    """Two readings with intervals of so many seconds to either side."""
    value = np.array([a, b])
    return pd.DataFrame(
        {
            "layout": ["a", "b"],
            "time_s": value,
            "time_s_low": value - half,
            "time_s_high": value + half,
        }
    )


def outcome(text, table, smallest, summary=None):
    read = readings.measured([("toy", table, summary)])
    return judge(language.predicate(text), View.whole(read, smallest_effect(smallest)))


FASTER = "time_s[layout == 'a'] < time_s[layout == 'b']"


@pytest.mark.parametrize(
    ("a", "b", "half", "expected"),
    [
        (1.0, 1.5, 0.02, "supported"),
        (1.5, 1.0, 0.02, "refuted"),
        (1.0, 1.01, 0.002, "tie"),
        (1.01, 1.0, 0.002, "tie"),
        (1.0, 1.5, 0.6, "underpowered"),
        (1.0, 1.05, 0.02, "underpowered"),
        (1.0, 1.5, np.nan, "underpowered"),
    ],
)
def test_the_interval_decides_with_the_smallest_effect_that_matters(a, b, half, expected):
    found = outcome(FASTER, cells(a, b, half), "5 %")
    assert found.verdict == expected
    if not np.isnan(half):
        [term] = found.terms
        assert term.effect == pytest.approx((b - a) / max(a, b))
        spread = (term.high - term.low) / 2 * max(a, b)
        assert spread == pytest.approx(np.sqrt(2) * half, rel=0.12)


def test_a_share_and_a_number_are_two_smallest_effects():
    table = cells(100.0, 101.0, 0.1)
    assert outcome(FASTER, table, "5 %").verdict == "tie"
    assert outcome(FASTER, table, 0.05).verdict == "supported"


@pytest.mark.parametrize(
    ("predicate", "expected"),
    [
        ("time_s[layout == 'a'] == time_s[layout == 'b']", "underpowered"),
        ("time_s[layout == 'a'] != time_s[layout == 'b']", "underpowered"),
        ("time_s[layout == 'a'] <= time_s[layout == 'b']", "underpowered"),
        ("not " + FASTER, "underpowered"),
        (FASTER + " and " + FASTER, "underpowered"),
        (FASTER + " or " + FASTER, "underpowered"),
    ],
)
def test_a_single_reading_without_interval_never_decides(predicate, expected):
    table = cells(1.0, 9.0, 0.1).drop(columns=["time_s_low", "time_s_high"])
    assert outcome(predicate, table, 0).verdict == expected


def test_whole_numbers_are_counted_and_need_no_interval():
    table = pd.DataFrame({"layout": ["a", "b"], "comm_bytes": [10, 20]})
    found = outcome("comm_bytes[layout == 'a'] < comm_bytes[layout == 'b']", table, 0)
    assert found.verdict == "supported"
    [term] = found.terms
    assert term.low == term.high == 10


def runs(gap, noise, seeds=(0, 1, 2)):
    """Rows of an experiment whose routers differ by so many nats."""
    rng = np.random.default_rng(1)
    arms = [("hash", 1.0), ("softk", 1.0), ("top1", 1.0), ("top1", 1.25), ("dense", None)]
    mean = {"hash": 2.0, "softk": 2.0 + gap, "top1": 2.3, "dense": 2.3}
    seed_S = 0.3 * rng.standard_normal(len(seeds))
    return rows.experiment(
        lambda router, factor, seed: mean[router] + seed_S[seed] + noise * rng.standard_normal(),
        lambda router, factor, round: 0.1 + 0.05 * (router == "hash") + 1e-3 * rng.random(),
        seeds=seeds,
        among=arms,
    )


BETTER = "val_nll_nats[router == 'hash'] < val_nll_nats[router == 'softk']"


@pytest.mark.parametrize(
    ("gap", "noise", "expected"),
    [
        (0.2, 0.005, "supported"),
        (-0.2, 0.005, "refuted"),
        (0.0, 0.002, "tie"),
        (0.05, 0.3, "underpowered"),
    ],
)
def test_seeds_are_paired_so_that_what_they_share_decides_nothing(gap, noise, expected):
    assert outcome(BETTER, tabulate_runs(runs(gap, noise)), 0.02).verdict == expected


def test_one_seed_cannot_tell():
    table = tabulate_runs(runs(0.2, 0.001, seeds=(0,)))
    assert outcome(BETTER, table, 0.02).verdict == "underpowered"


def test_the_speed_of_an_arm_has_the_interval_of_the_summary_and_not_that_of_its_seeds():
    found = runs(0.2, 0.005)
    table, summary = tabulate_runs(found), summarise(found, np.random.default_rng(0))
    faster = "train_tokens_per_s[router == 'softk'] > train_tokens_per_s[router == 'hash']"
    assert outcome(faster, table, "2 %", summary).verdict == "supported"
    assert outcome(faster, table, "2 %", None).verdict == "underpowered"
    [term] = outcome(faster, table, "2 %", summary).terms
    assert term.low < term.effect < term.high


def a_file(tmp_path, **changed):
    """A file of one claim, known to be true, with changes."""
    claim = {
        "source": "us",
        "claim": "Softmax top-k is better than top-1.",
        "smallest": 0,
        "published": {
            "tables": ["unified"],
            "holds": "val_ppl[router == 'softk'] < val_ppl[router == 'top1']",
        },
        "here": "nothing to try",
    } | changed
    content = {"sources": {"us": "a test"}, "experiments": ["other"], "claims": {"T-1": claim}}
    path = tmp_path / "claims.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


PRINTED = {"unified": pd.DataFrame({"router": ["softk", "top1"], "val_ppl": [5.0, 6.0]})}


def test_a_row_of_the_ledger_carries_the_numbers_that_decided(tmp_path):
    table = ledger(entries.read(a_file(tmp_path, figure="f")), PRINTED, {}, drawn=["f"])
    published, here = table.to_dict("records")
    assert published["verdict"] == "supported"
    assert published["effect"] == published["effect_low"] == published["effect_high"] == 1.0
    assert (
        published["decided_by"] == "val_ppl[router == 'softk'] = 5 < val_ppl[router == 'top1'] = 6"
    )
    assert published["figure"] == "f"
    assert (here["verdict"], here["reason"]) == ("not testable here", "nothing to try")
    assert pd.isna(here["effect"])


def looking_ahead():
    """Runs in which expert choice is the best with later tokens in view, and the worst without."""
    ppl = {"softk": (5.0, 5.0), "top1": (5.5, 5.5), "expert_choice": (6.0, 4.0)}
    made = [
        {"router": router, "seed": seed, "val_ppl_causal": causal + noise, "val_ppl": seen + noise}
        for router, (causal, seen) in ppl.items()
        for seed, noise in enumerate((-0.001, 0.0, 0.001) if router == "top1" else (0.0, 0.0, 0.0))
    ]
    return {"unified": pd.DataFrame(made)}


def test_a_claim_is_judged_without_later_tokens_and_says_what_they_would_have_changed(tmp_path):
    here = {"tables": ["unified"], "holds": "lowest(val_ppl_causal, router == 'expert_choice')"}
    found = entries.read(a_file(tmp_path, here=here, smallest="1 %"))
    published, line = ledger(found, PRINTED, looking_ahead(), drawn=[]).to_dict("records")
    assert line["verdict"] == "refuted"
    assert "val_ppl_causal[router == 'expert_choice'] = 6 <" in line["decided_by"]
    assert line["later_tokens_verdict"] == "supported"
    assert "val_ppl[router == 'expert_choice'] = 4 < 5" in line["later_tokens_decided_by"]
    assert pd.isna(published["later_tokens_verdict"])


@pytest.mark.parametrize(
    "holds",
    [
        "val_ppl_causal[router == 'softk'] < val_ppl_causal[router == 'top1']",  # neither looks
        "val_ppl[router == 'expert_choice'] < val_ppl[router == 'softk']",  # no causal score
    ],
)
def test_where_later_tokens_change_nothing_or_were_asked_for_nothing_stands_beside(tmp_path, holds):
    here = {"tables": ["unified"], "holds": holds}
    table = ledger(entries.read(a_file(tmp_path, here=here)), PRINTED, looking_ahead(), drawn=[])
    assert table.loc[1, "verdict"] == "supported"
    assert table["later_tokens_verdict"].isna().all()


def test_a_predicate_stays_as_it_is_when_its_scores_are_replaced():
    given = language.predicate("lowest(val_ppl_causal, router == 'softk')")
    assert ast.unparse(in_view(given)) == "lowest(val_ppl, router == 'softk')"
    assert ast.unparse(given) == "lowest(val_ppl_causal, router == 'softk')"


def test_a_table_without_scores_of_whole_texts_has_a_verdict_all_the_same(tmp_path):
    here = {"tables": ["unified"], "holds": "lowest(val_ppl_causal, router == 'softk')"}
    made = {"unified": looking_ahead()["unified"].drop(columns="val_ppl")}
    table = ledger(entries.read(a_file(tmp_path, here=here)), PRINTED, made, drawn=[])
    assert table.loc[1, "verdict"] == "supported"
    assert pd.isna(table.loc[1, "later_tokens_verdict"])


def test_a_table_that_this_run_does_not_make_is_not_testable(tmp_path):
    here = {"tables": ["other"], "holds": "val_ppl > 1"}
    table = ledger(entries.read(a_file(tmp_path, here=here)), PRINTED, {}, drawn=[])
    assert table.loc[1, "verdict"] == "not testable here"
    assert "this run makes no table other" in table.loc[1, "reason"]


def test_tables_that_are_not_made_are_left_out_where_another_is(tmp_path):
    here = {"tables": ["other", "unified"], "holds": "comm_calls[router == 'softk'] > 1"}
    made = {"unified": pd.DataFrame({"router": ["softk"], "comm_calls": [3]})}
    table = ledger(entries.read(a_file(tmp_path, here=here)), PRINTED, made, drawn=[])
    assert table.loc[1, "verdict"] == "supported"
    assert "this run makes no table other" in table.loc[1, "left_out"]


def test_a_claim_that_does_not_fit_its_rows_is_named(tmp_path):
    trial = {"tables": ["unified"], "holds": "increasing(val_ppl, along=router)"}
    doubled = {"unified": pd.concat([PRINTED["unified"]] * 2)}
    with pytest.raises(ValueError, match="claim T-1, published: 'val_ppl' has 2 rows"):
        ledger(entries.read(a_file(tmp_path, published=trial)), doubled, {}, drawn=[])


def test_rows_of_this_run_that_do_not_fit_are_a_reason_and_no_verdict(tmp_path):
    here = {
        "tables": ["unified"],
        "holds": "val_ppl[router == 'softk'] > 1 and lowest(val_ppl, top_k > 1)",
    }
    made = {"unified": pd.DataFrame({"router": ["softk"] * 3, "val_ppl": 2.0, "top_k": [1, 2, 3]})}
    table = ledger(entries.read(a_file(tmp_path, here=here)), PRINTED, made, drawn=[])
    assert table.loc[1, "verdict"] == "not testable here"
    assert "the rows of this run do not fit: 'val_ppl' has 2 rows" in table.loc[1, "reason"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"source": "them"}, "claims.T-1.source: unknown name 'them'"),
        ({"smallest": "much"}, "claims.T-1.smallest: 'much' is no smallest effect"),
        ({"sentence": "x"}, "claims.T-1.sentence: unknown key 'sentence'"),
        (
            {"published": {"tables": ["unified"], "holds": "val_ppl <"}},
            "claims.T-1.published.holds: 'val_ppl <' is no expression",
        ),
        (
            {"published": {"tables": ["unified"], "holds": "val_ppl > 1", "where": "val_ppl"}},
            "claims.T-1.published.where: 'val_ppl' is no condition",
        ),
        ({"published": {"tables": [], "holds": "val_ppl > 1"}}, "there is no value to take"),
        ({"published": {"tables": ["unified"]}}, "holds: is missing"),
        ({"here": 3}, "claims.T-1.here"),
    ],
)
def test_a_mistake_in_the_file_is_one_line_with_its_place(tmp_path, changed, message):
    with pytest.raises(ConfigError) as error:
        entries.read(a_file(tmp_path, **changed))
    [line] = [line for line in str(error.value).splitlines() if message in line]
    assert "claims.yaml: " in line


@pytest.mark.parametrize(
    ("side", "table", "holds", "message"),
    [
        ("published", "unifed", "val_ppl > 1", "unknown name 'unifed'; did you mean 'unified'?"),
        ("published", "unified", "val_pp > 1", "unknown name 'val_pp'; did you mean 'val_ppl'?"),
        ("here", "other", "speed > 1", "table 'other': column: unknown name 'speed'"),
        ("here", "paralel", "top_k > 1", "did you mean 'parallel'?"),
    ],
)
def test_tables_and_columns_that_there_are_not_are_named(tmp_path, side, table, holds, message):
    found = entries.read(a_file(tmp_path, **{side: {"tables": [table], "holds": holds}}))
    known = known_tables.columns(known_tables.of_run(found.experiments))
    with pytest.raises(ConfigError, match="claims.T-1." + side) as error:
        entries.check(found, {"unified": ["router", "val_ppl"]}, known)
    assert message in str(error.value)


def test_a_verdict_without_numbers_or_reason_is_no_ledger(tmp_path):
    table = ledger(entries.read(a_file(tmp_path)), PRINTED, {}, drawn=[])
    with pytest.raises(TableError, match="either numbers or a reason"):
        check(table.assign(verdict="supported"), CLAIMS)
    with pytest.raises(TableError, match="do not add up"):
        check(table.assign(num_supported=2), CLAIMS)
