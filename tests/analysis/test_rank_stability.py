"""Orders of routers that are known, and what is said of them."""

import dataclasses
import io
import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from moebench.analysis import cells
from moebench.analysis.contrasts import contrasts
from moebench.analysis.rank_stability import (
    conditions,
    distinct,
    distribution,
    ranks,
    stability,
)
from moebench.analysis.runs import tabulate_runs
from tests import rows as synthetic

ORDER = ("top1", "topk_hard", "softk", "hash")
CLEAR, NOISE = 0.1, 0.004


def experiment(
    name, order, *, gap=CLEAR, noise=NOISE, factors=(1.25,), seeds=(0, 1, 2), rng=0, certified=None
):
    """Conditions of an experiment whose routers stand in a given order, ``gap`` nats apart.

    With later tokens in view, expert choice would always be the best. ``certified`` is the class
    that a certificate found, by router.
    """
    wobble = np.random.default_rng(rng)
    place = {router: rank for rank, router in enumerate(order)}
    arms = [(router, factor) for router in [*order, "legacy_softk"] for factor in factors]
    finals = []
    for (router, factor), seed in itertools.product([*arms, ("dense", None)], seeds):
        nll = 2 + gap * place.get(router, 9) + 0.1 * seed + noise * wobble.standard_normal()
        spec = synthetic.run_spec(router, factor, seed)
        causal = synthetic.causal_scores(spec, nll)
        finals.append(synthetic.final(spec, 1.0 if router == "expert_choice" else nll, **causal))
    runs = cells.final_rows(finals)
    arms = runs.drop_duplicates("cell")
    summary = arms.assign(certified=arms["router"].map(certified or {}))
    return conditions(
        name, *map(as_file, (runs, summary, contrasts(finals))), np.random.default_rng(rng)
    )


def as_file(table):
    """The table as it reads back from its file."""
    return pd.read_csv(io.StringIO(table.drop(columns="cell", errors="ignore").to_csv(index=False)))


def compare(*experiments):
    [line] = stability([each for found in experiments for each in found]).to_dict("records")
    return line


def test_equal_orders_have_tau_one_and_are_called_the_same():
    line = compare(experiment("a", ORDER), experiment("b", ORDER, rng=1))
    assert line["kendall_tau"] == line["kendall_tau_low"] == line["kendall_tau_high"] == 1
    assert (line["num_pairs"], line["num_same"], line["num_reversed"]) == (6, 6, 0)
    assert line["verdict"] == "same"
    assert pd.isna(line["reversed"])


def test_a_reversed_order_has_tau_minus_one_and_names_every_pair():
    line = compare(experiment("a", ORDER), experiment("b", ORDER[::-1], rng=1))
    assert line["kendall_tau"] == line["kendall_tau_high"] == -1
    assert (line["num_reversed"], line["verdict"]) == (6, "reversed")
    assert len(line["reversed"].split("; ")) == 6


def test_two_neighbours_that_swap_are_the_one_reversed_pair():
    swapped = ("topk_hard", "top1", "softk", "hash")
    line = compare(experiment("a", ORDER), experiment("b", swapped, rng=1))
    assert line["kendall_tau"] == pytest.approx(4 / 6)
    assert (line["num_same"], line["num_reversed"], line["num_open"]) == (5, 1, 0)
    assert set(line["reversed"].split()) == {"top1", "topk_hard"}


def test_routers_that_do_not_differ_leave_the_order_open_whatever_their_means():
    line = compare(
        experiment("a", ORDER, gap=0, noise=0.02), experiment("b", ORDER, gap=0, noise=0.02, rng=1)
    )
    assert line["num_open"] == 6
    assert line["verdict"] == "open"
    assert line["kendall_tau_low"] < 0 < line["kendall_tau_high"]


def test_tau_is_that_of_scipy_on_the_means():
    a, b = experiment("a", ORDER, gap=0), experiment("b", ORDER, gap=0, rng=1)
    expected = stats.kendalltau(*([each[0].nll[router] for router in ORDER] for each in (a, b)))
    assert compare(a, b)["kendall_tau"] == pytest.approx(expected.statistic)


@pytest.mark.slow
def test_interval_of_tau_is_that_of_scipys_tau_of_each_draw():
    a, b = (experiment(name, ORDER, gap=0.004, rng=i) for i, name in enumerate("ab"))
    taus = [
        stats.kendalltau(*([each[0].draws[router][d] for router in ORDER] for each in (a, b)))
        for d in range(800)
    ]
    expected = np.quantile([each.statistic for each in taus], [0.025, 0.975])
    line = compare(a, b)
    assert [line["kendall_tau_low"], line["kendall_tau_high"]] == pytest.approx(expected, abs=1e-9)


def test_each_swept_value_is_a_condition_and_dense_networks_or_published_mistakes_do_not_count():
    found = experiment("unified", ORDER, factors=(1.0, 1.25))
    assert [each.name for each in found] == [
        "unified, capacity_factor=1.0", "unified, capacity_factor=1.25",
    ]  # fmt: skip
    assert all(set(each.nll) == set(ORDER) for each in found), "neither dense nor legacy_softk"
    assert compare(found)["kendall_tau"] == 1


def test_who_looks_at_later_tokens_is_ranked_by_what_it_reaches_without_them():
    order = ("softk", "expert_choice", "hash")
    table = ranks(experiment("a", order)).set_index("router")
    assert table["rank"].to_dict() == {"softk": 1, "expert_choice": 2, "hash": 3}
    assert table.loc["expert_choice", "val_nll_causal_nats"] == pytest.approx(2.2, abs=0.01)
    assert table["causality"].to_dict() == {
        "softk": "token-local", "expert_choice": "non-causal", "hash": "token-local",
    }  # fmt: skip
    assert compare(experiment("a", order), experiment("b", order, rng=1))["num_same"] == 3


def test_who_looks_at_later_tokens_unsaid_is_ranked_nowhere():
    found = {"softk": "non-causal", "hash": "token-local", "expert_choice": "non-causal"}
    [caught] = experiment("a", ("softk", "expert_choice", "hash"), certified=found)
    assert set(caught.nll) == {"expert_choice", "hash"}


@pytest.mark.slow
def test_only_routers_of_both_are_compared():
    line = compare(experiment("a", ORDER), experiment("b", ORDER[1:], rng=1))
    assert (line["num_routers"], line["num_pairs"], line["kendall_tau"]) == (3, 3, 1)
    alone = compare(experiment("a", ORDER[:2]), experiment("b", ORDER[1:], rng=1))
    assert (alone["num_routers"], alone["num_pairs"], alone["verdict"]) == (1, 0, "open")
    assert pd.isna(alone["kendall_tau"])


def test_ranks_their_distribution_and_the_best_are_those_that_were_planted():
    found = experiment("a", ORDER)
    table = ranks(found).set_index("router")
    assert table["rank"].to_dict() == {router: i + 1 for i, router in enumerate(ORDER)}
    assert (table["rank_low"] == table["rank"]).all()
    assert table["p_best"].to_dict() == {"top1": 1, "topk_hard": 0, "softk": 0, "hash": 0}
    assert table["tied_with"].isna().all()
    shares = distribution(found)
    assert len(shares) == 16
    assert shares.groupby("router")["probability"].sum().tolist() == pytest.approx([1] * 4)
    assert shares.groupby("rank")["probability"].sum().tolist() == pytest.approx([1] * 4)


@pytest.mark.slow
def test_routers_that_do_not_differ_are_each_the_best_about_equally_often():
    """Over many experiments; in one of them the means of its seeds decide."""
    best = [ranks(experiment("a", ORDER, gap=0, rng=i)).set_index("router") for i in range(8)]
    assert np.mean([table["p_best"].max() for table in best]) < 0.9
    for table in best:
        assert table["p_best"].sum() == pytest.approx(1)
        assert (table["rank_low"] <= table["rank"]).all()
        assert (table["rank"] <= table["rank_high"]).all()


def test_tied_routers_are_named():
    close = experiment("a", ORDER, gap=0, noise=0.02)
    tied = ranks(close).set_index("router")["tied_with"]
    assert tied["hash"] == "softk top1 topk_hard"


def test_one_seed_gives_an_order_and_no_interval():
    a, b = (experiment(name, ORDER, seeds=(0,), rng=i) for i, name in enumerate("ab"))
    line = compare(a, b)
    assert line["kendall_tau"] == 1
    assert pd.isna(line["kendall_tau_low"])
    assert (line["num_open"], line["verdict"]) == (6, "open")
    table = ranks(a).set_index("router")
    assert table["rank"].to_dict() == {router: i + 1 for i, router in enumerate(ORDER)}
    assert table[["rank_low", "p_best"]].isna().all(axis=None)


def test_nothing_to_compare_gives_tables_without_rows():
    assert experiment("a", ("softk",)) == []
    assert stability([]).empty
    assert ranks([]).empty
    assert distribution([]).empty


def test_names_of_settings_are_those_of_the_tables():
    rows = synthetic.plausible()
    keys = cells.setting_keys([row for row in rows if row.kind == "final"])
    assert cells.setting_names() == keys[5:]
    assert set(cells.setting_names()) <= set(tabulate_runs(rows).columns)


def test_conditions_of_the_same_runs_are_compared_with_others_and_not_with_themselves():
    one, other = experiment("a", ORDER), experiment("b", ORDER, rng=1)
    again = [dataclasses.replace(each, name="c") for each in one]
    part = [
        dataclasses.replace(each, name="d", nll={name: each.nll[name] for name in ORDER[:2]})
        for each in one
    ]
    first = {ORDER[0]: one[0].nll[ORDER[0]]}
    alike = [dataclasses.replace(other[0], name="e", nll=other[0].nll | first)]
    found = distinct([*part, *one, *other, *again, *alike])
    assert [each.name for each in found] == ["a", "b", "e"]
