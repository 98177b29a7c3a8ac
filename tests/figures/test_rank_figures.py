"""What is drawn and said of gates and of the order of routers, against the tables."""

import itertools

import matplotlib.colors as colours
import numpy as np
import pandas as pd
import pytest
import synthetic

from moebench.figures import base
from moebench.figures.gates import Gates
from moebench.figures.rank_stability import NOTHING, RankStability
from moebench.report import arms, findings, rank_stability

GATES = {"linear": 0.0, "mlp": -0.02, "mlp_hadamard": 0.01}


def gated():
    """The synthetic summary, with each routed arm at one capacity factor and three gates."""
    table = synthetic.summary()
    dense = table[table["capacity_factor"].isna()]
    routed = table[table["capacity_factor"] == 1.25]
    parts = []
    for gate, nats in GATES.items():
        part = routed.assign(gate=gate)
        for kind, end in itertools.product(("", "_causal"), ("", "_low", "_high")):
            part[f"val_nll{kind}_nats{end}"] += nats
            part[f"val_ppl{kind}{end}"] = np.exp(part[f"val_nll{kind}_nats{end}"])
        parts.append(part.assign(train_tokens_per_s=part["train_tokens_per_s"] * (1 + nats)))
    return pd.concat([*parts, dense], ignore_index=True)


def orders(reversed_pairs=0):
    """Two conditions that agree but for so many pairs of three routers."""
    ranks = pd.DataFrame(
        [
            ("unified, capacity_factor=1.25", "softk", 1, 1.0, 1.0, 0.99, None),
            ("unified, capacity_factor=1.25", "top1", 2, 2.0, 3.0, 0.01, "hash"),
            ("unified, capacity_factor=1.25", "hash", 3, 2.0, 3.0, 0.0, "top1"),
            ("subword", "softk", 1, 1.0, 2.0, 0.8, "hash"),
            ("subword", "top1", 3, 3.0, 3.0, 0.0, None),
            ("subword", "hash", 2, 1.0, 2.0, 0.2, "softk"),
        ],
        columns=["condition", "router", "rank", "rank_low", "rank_high", "p_best", "tied_with"],
    ).assign(causality="token-local")
    pair = {
        "condition_a": "unified, capacity_factor=1.25",
        "condition_b": "subword",
        "num_routers": 3, "num_pairs": 3, "num_reversed": reversed_pairs,
        "num_same": 1, "num_open": 2 - reversed_pairs,
        "kendall_tau": 1 / 3, "kendall_tau_low": -1 / 3, "kendall_tau_high": 1.0,
        "reversed": "top1 hash" if reversed_pairs else None,
        "verdict": "reversed" if reversed_pairs else "open",
    }  # fmt: skip
    return {"ranks": ranks, "rank_stability": pd.DataFrame([pair])}


def lines(canvas, prefix):
    found = [line for axes in canvas.axes for line in axes.lines]
    return {line.get_gid(): line for line in found if str(line.get_gid()).startswith(prefix)}


def test_gates_draws_every_gate_of_every_router_where_the_table_says():
    table = gated()
    drawn = lines(base.render(Gates(), {"summary": table}), "gate ")
    routed = table[table["capacity_factor"].notna()]
    assert len(drawn) == len(routed) == 15
    for each in routed.itertuples():
        [x], [y] = drawn[f"gate {each.router} {each.gate}"].get_data()
        assert (x, y) == (each.train_tokens_per_s, each.val_ppl_causal)
    filled = drawn["gate expert_choice mlp"].get_markerfacecolor()
    assert colours.to_hex(filled) != "#ffffff", "its score is one without later tokens"
    assert len({drawn[f"gate softk {gate}"].get_marker() for gate in GATES}) == 3


def test_gates_says_which_is_best_for_each_router_and_what_is_missing():
    table = gated()
    assert "softmax top-k: lowest with mlp, 5.8" in Gates().caption({"summary": table})
    missing = (table["router"] == "hash") & (table["gate"] == "mlp")
    table.loc[missing, "train_tokens_per_s"] = None
    said = Gates().caption({"summary": table})
    assert "Not drawn, for want of a measure: hash CF 1.25 with gate mlp." in said


def test_arms_that_differ_in_their_gate_have_names_of_their_own():
    table = gated()
    names = [arms.name(each) for each in table.to_dict("records")]
    assert len(set(names)) == len(names)
    assert "softmax top-k CF 1.25" in names
    assert "softmax top-k CF 1.25 with gate mlp" in names
    assert "Gates: linear, mlp and mlp_hadamard." in findings.asked(table, synthetic.TOKENS)


def test_ranks_stand_where_the_table_says_and_the_best_has_its_probability():
    tables = orders()
    canvas = base.render(RankStability(), tables)
    drawn = lines(canvas, "ranks ")
    assert {name: list(line.get_ydata()) for name, line in drawn.items()} == {
        "ranks softk": [1, 1], "ranks top1": [2, 3], "ranks hash": [3, 2],
    }  # fmt: skip
    written = {text.get_text() for axes in canvas.axes for text in axes.texts}
    assert written == {"p=0.99", "p=0.80"}
    [tau] = lines(canvas, "pair ").values()
    assert tau.get_xdata()[0] == pytest.approx(1 / 3)


def test_who_looks_at_later_tokens_takes_part_without_them_and_is_marked_so():
    tables = orders()
    hash_too = tables["ranks"]["router"] == "hash"
    tables["ranks"].loc[hash_too, "causality"] = "non-causal"
    [legend] = base.render(RankStability(), tables).legends
    names = [text.get_text() for text in legend.get_texts()]
    assert names == ["hash, without\nlater tokens", "softmax top-k", "top-1"]
    page = "\n".join(rank_stability.page(tables["rank_stability"], tables["ranks"]))
    assert "hash looks at later tokens; it is ranked by what it reaches without them." in page
    assert page.count("looks at later tokens") == 1


@pytest.mark.parametrize(("swapped", "marker"), [(0, "o"), (1, "X")])
def test_a_pair_of_conditions_whose_order_turns_round_is_marked(swapped, marker):
    tables = orders(swapped)
    [tau] = lines(base.render(RankStability(), tables), "pair ").values()
    assert tau.get_marker() == marker
    assert f"In {swapped} of 1 pairs of conditions" in RankStability().caption(tables)


def test_nothing_to_compare_is_said_and_not_drawn():
    empty = {name: table.iloc[:0] for name, table in orders().items()}
    assert RankStability().caption(empty) == NOTHING
    assert not base.render(RankStability(), empty).axes
    assert rank_stability.page(empty["rank_stability"], empty["ranks"])


def test_the_claim_is_open_contradicted_or_borne_out_as_the_pairs_say():
    def claim(swapped=0, **changed):
        tables = orders(swapped)
        stability = tables["rank_stability"].assign(**changed)
        return " ".join(rank_stability.claim(stability, tables["ranks"]))

    said = claim()
    assert "“The same order of routers everywhere” is neither shown nor contradicted" in said
    assert "of 3 comparisons" in said
    assert "1 have the same order" in said
    assert "Kendall's tau 0.33 (-0.33 to 1.00) over 3 routers" in said
    against = claim(1)
    assert "is contradicted by 2 conditions" in against
    assert "unified CF 1.25 and subword the order turns round of top-1 and hash." in against
    assert "is borne out" in claim(verdict="same", num_same=3, num_open=0)


def test_the_best_is_named_with_its_probability_and_its_ties():
    said = rank_stability.best(orders()["ranks"])
    assert said == [
        "unified CF 1.25: lowest perplexity by softmax top-k, the best in 99% of the draws.",
        "subword: lowest perplexity by softmax top-k, the best in 80% of the draws; it ties with "
        "hash.",
    ]
