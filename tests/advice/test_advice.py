"""Advice on tables whose truth is known, each number looked up in the table it names."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from moebench.analysis.contrasts import contrasts
from moebench.analysis.parallel.derived import SIZE
from moebench.analysis.summary import summarise
from moebench.report import rst
from moebench.report.advice import adapter, energy, layout, questions, router, wanted, written
from moebench.report.advice.base import FORMS, Line, Quotes
from tests import rows as synthetic
from tests.advice.evidence import as_json, as_read, told, unaccounted

NLL = {"top1": 2.2, "softk": 2.0, "hash": 2.0005, "expert_choice": 1.75, "dense": 2.1}
TIME = {"top1": 0.1, "softk": 0.3, "hash": 0.2, "expert_choice": 0.1, "dense": 0.1}


@pytest.fixture(autouse=True)
def _few_draws(monkeypatch):
    monkeypatch.setattr("moebench.analysis.summary.NUM_DRAWS", 300)


def routed(seeds=(0, 1, 2), noise=1e-3, nll=NLL, time=TIME):
    """Tables of an experiment with these scores and step times."""
    wobble = np.random.default_rng(0).normal(0, noise, (len(nll), len(seeds)))
    wobble -= wobble.mean(axis=1, keepdims=True)  # arms differ by what they are told to
    among = [(name, None if name.startswith("dense") else 1.25) for name in nll]
    rows = synthetic.experiment(
        lambda r, cf, seed: nll[r] + wobble[list(nll).index(r), seed] + 0.1 * seed,
        lambda r, cf, turn: time[r] * (1 + 0.01 * (turn % 3)),
        seeds=seeds,
        among=among,
    )
    rows = [_without_later_tokens(row) if row.kind == "final" else row for row in rows]
    made = {
        "unified_summary": summarise(rows, np.random.default_rng(0)),
        "unified_contrasts": contrasts(rows),
    }
    return as_read(made)


def _without_later_tokens(row):
    """A final row in which a router that looks ahead does worse once it cannot."""
    if row.spec["router"] != "expert_choice":
        return row
    spec = synthetic.run_spec("expert_choice", 1.25, row.spec["seed"])
    causal = synthetic.causal_scores(spec, row.values["val_nll_nats"] + 0.4)
    return dataclasses.replace(row, values=row.values | causal)


def advise(tables, ask=router):
    found = ask.answer("unified", tables) if ask is router else ask.answer(tables)
    [plain] = as_json([found])
    assert unaccounted(plain, tables) == []
    return plain


def test_the_fastest_of_those_that_tie_with_the_best_is_advised():
    found = advise(routed())
    assert found["verdict"].startswith("Take hash CF 1.25")
    assert found["status"] == "answered"
    assert "lowest perplexity of the routers is that of softmax top-k CF 1.25" in told(found)
    assert "expert choice CF 1.25 may look at later tokens, and then has perplexity" in told(found)


def test_a_router_that_is_better_beyond_doubt_is_advised_although_it_is_slow():
    found = advise(routed(nll=NLL | {"hash": 2.05}))
    assert found["verdict"].startswith("Take softmax top-k CF 1.25")


def test_a_speed_that_is_not_told_apart_decides_nothing():
    tables = routed()
    tables["unified_summary"]["train_tokens_per_s_low"] *= 0.5
    assert advise(tables)["verdict"].startswith("Take softmax top-k CF 1.25")


@pytest.mark.parametrize(
    ("dense", "status", "words"),
    [
        (1.9, "answered", "is both better and faster"),
        (1.9995, "answered", "is as good and faster"),
        (2.2, "answered", "no dense network measured here is as good"),
    ],
)
def test_a_dense_network_that_is_as_good_and_faster_is_named(dense, status, words):
    found = advise(routed(nll=NLL | {"dense": dense}, noise=1e-3))
    assert found["status"] == status
    assert words in found["verdict"]


def test_a_dense_network_that_beats_the_routers_decides_whatever_another_one_leaves_open():
    scores = NLL | {"dense": 1.9, "dense_total": 2.001}
    found = advise(routed(nll=scores, noise=1e-2, time=TIME | {"dense_total": 0.1}))
    assert found["verdict"].startswith("None: dense (equal FLOPs) is both better and faster")
    assert found["status"] == "answered"


def test_a_router_that_repeats_a_published_mistake_is_never_advised():
    tables = routed(nll=NLL | {"top1": 1.0})
    assert advise(tables)["verdict"].startswith("Take top-1")
    for table in tables.values():
        for column in {"router", "router_a", "router_b"} & set(table):
            table[column] = table[column].replace({"top1": "legacy_top1"})
    found = advise(tables)
    assert found["verdict"].startswith("Take hash")
    assert "certificate" not in told(found)


def test_what_the_seeds_leave_open_is_called_open_with_what_they_would_have_missed():
    found = advise(routed(nll=NLL | {"dense": 2.005}, noise=0.02))
    assert found["status"] == "open"
    assert "no mixture has shown here that it is worth it" in found["verdict"]
    assert "undecided" in told(found)
    assert "More seeds (key `seeds`): with 3, perplexities that differ by less than" in told(found)


def test_a_router_that_leaks_without_saying_so_is_not_advised_however_good():
    tables = routed(nll=NLL | {"hash": 1.0})
    summary = tables["unified_summary"]
    assert advise(tables)["verdict"].startswith("Take hash")
    summary["certified"] = summary["router"].map({"hash": "non-causal"})
    found = advise(tables)
    assert found["verdict"].startswith("Take softmax top-k")
    assert "hash CF 1.25 takes no part" in told(found)


def test_one_seed_and_no_honest_router_cannot_be_advised_on():
    found = advise(routed(seeds=(0,)))
    assert found["status"] == "cannot say"
    assert "one run of each arm" in found["verdict"]
    tables = routed(nll={"softk": 1.5, "dense": 2.0})
    tables["unified_summary"]["certified"] = "non-causal"
    found = advise(tables)
    assert "has no router that may be ranked" in found["verdict"]


def test_an_experiment_that_sweeps_something_else_is_not_advised_on():
    tables = routed()
    tables["unified_summary"] = pd.concat([tables["unified_summary"]] * 2)
    found = advise(tables)
    assert found["status"] == "cannot say"
    assert "sweeps more than router" in found["verdict"]


def regimes(*sizes):
    """Sizes with ranks, batch, width, whether ranks share cores, the fastest and who ties."""
    usual = dict(communicator="mpi", backend="mpi", num_experts=4, top_k=2, hidden_dim=16)
    usual |= {"output_dim": 8, "direction": "forward"}
    made = [
        usual
        | dict(world_size=ranks, batch_size=batch, feature_dim=width, oversubscribed=shared)
        | dict(fastest_layout=fastest, tied_with=tied, is_tie=tied is not None)
        | dict(fastest_median_s=batch * 1e-6, runner_up_layout="tensor", runner_up_ratio=1.5)
        for ranks, batch, width, shared, fastest, tied in sizes
    ]
    cells = [
        {key: each[key] for key in SIZE}
        | dict(sweep="one", layout=each["fastest_layout"])
        | dict(median_duration_s=each["fastest_median_s"])
        | dict(median_low_s=0.9 * each["fastest_median_s"], median_high_s=2e-3)
        for each in made
    ]
    predicted = [
        {key: made[-1][key] for key in SIZE[2:]}
        | dict(link=link, scaling="fixed", layout=name, predicted_duration_s=duration)
        for link in ("slow_10g", "fast")
        for name, duration in (("tensor", 3e-3), ("expert", 2e-3))
    ]
    return as_read(
        {
            "parallel_regimes": pd.DataFrame(made),
            "parallel": pd.DataFrame(cells),
            "parallel_predictions": pd.DataFrame(predicted),
        }
    )


def test_the_layout_that_nothing_beats_anywhere_is_advised():
    tables = regimes(
        (1, 8, 32, False, "tensor", None),
        (2, 8, 32, False, "expert", None),
        (2, 64, 32, False, "single", "expert_replicated tensor"),
    )
    found = advise(tables, layout)
    assert found["verdict"].startswith("Take expert parallel")
    assert found["status"] == "answered"
    assert "which the repetitions do not tell apart" in told(found)


def test_a_layout_that_ties_everywhere_is_no_answer():
    tables = regimes((2, 8, 32, False, "expert", "tensor"), (2, 64, 32, False, "single", "tensor"))
    found = advise(tables, layout)
    assert found["status"] == "open"
    assert found["verdict"].startswith("Take tensor parallel, if any: at every size")


def test_layouts_that_win_at_other_sizes_are_said_to_depend_on_the_size():
    tables = regimes((2, 8, 32, False, "single", None), (2, 64, 32, False, "tensor", None))
    found = advise(tables, layout)
    assert "neither at 2 ranks, batch 8" in found["verdict"]
    assert "tensor parallel at 2 ranks, batch 64" in found["verdict"]


def test_ranks_that_share_cores_leave_the_answer_open_and_are_left_out_beside_others():
    crowded = (4, 4096, 32, True, "tensor", None)
    found = advise(regimes(crowded), layout)
    assert found["status"] == "open"
    assert "ranks that share cores" in found["verdict"]
    assert "expert parallel with slow 10g between them (2 ms)" in told(found)
    found = advise(regimes((2, 8, 32, False, "single", None), crowded), layout)
    assert found["verdict"].startswith("Neither")
    assert "(ranks share cores)" in told(found)


@pytest.mark.parametrize(
    ("batch", "fastest", "tied", "status"),
    [
        (4096, "tensor", None, "open"),
        (4096, "tensor", "single", "answered"),
        (4096, "single", None, "answered"),
        (8, "tensor", None, "answered"),
    ],
)
def test_larger_work_that_another_layout_wins_even_on_shared_cores_leaves_the_answer_open(
    batch, fastest, tied, status
):
    own, crowded = (2, 8, 32, False, "single", None), (4, batch, 32, True, fastest, tied)
    found = advise(regimes(own, crowded), layout)
    assert found["status"] == status
    assert "up to 2 ranks, batch 8, width 32" in found["verdict"]
    assert ("tensor parallel is the fastest at 4 ranks" in found["verdict"]) == (status == "open")


def test_one_rank_says_nothing_of_layouts():
    found = advise(regimes((1, 8, 32, False, "single", None)), layout)
    assert found["status"] == "cannot say"


def adapters(*arms):
    """Adapters with loss, met parameters, whether on the frontier; neighbours are compared."""
    made, pairs = [], []
    for i, (variant, loss, params, on) in enumerate(arms):
        made.append(
            dict(arm=variant, variant=variant, rank=4, num_adapters=None, top_k=None, inner="lora")
            | dict(router=None, legacy_weighting=False, num_seeds=3, answer_nll_nats=loss)
            | dict(answer_nll_nats_low=loss - 0.05, answer_nll_nats_high=loss + 0.05)
            | dict(base_answer_nll_nats=2.5, accuracy=0.3, accuracy_low=0.2, accuracy_high=0.4)
            | dict(accuracy_questions_low=0.15, accuracy_questions_high=0.45)
            | dict(chance_accuracy=0.25, num_activated_trainable_params=params)
            | dict(activated_share=params / 1e5, on_frontier_ppl=on)
        )
        for other, *_ in arms[:i]:
            gap = loss - next(each[1] for each in arms if each[0] == other)
            pairs.append(
                dict(quantity="answer_nll_nats", factor="variant", family="variant")
                | dict(arm_a=variant, arm_b=other, num_seeds=3, minimum_detectable=0.061)
                | dict(conclusion="tie" if abs(gap) < 0.06 else "better" if gap < 0 else "worse")
            )
    columns = [*adapter.PAIR, "num_seeds", "minimum_detectable", "conclusion"]
    contrasts = pd.DataFrame(pairs, columns=columns)
    return as_read({"perft_summary": pd.DataFrame(made), "perft_contrasts": contrasts})


def test_the_smallest_adapter_that_ties_with_the_best_is_advised():
    arms = ("dense", 1.0, 4000, True), ("routed", 1.03, 1500, True), ("single", 1.4, 1000, True)
    found = advise(adapters(*arms), adapter)
    assert found["verdict"].startswith("Take routed (PERFT-R) rank 4")
    assert found["status"] == "answered"
    assert "The lowest loss is that of dense (PERFT-D) rank 4" in told(found)
    assert "With less to spend: single (PERFT-S) rank 4" in told(found)


def test_a_smaller_adapter_that_no_test_compares_leaves_the_answer_open():
    tables = adapters(("dense", 1.0, 4000, True), ("routed", 1.03, 1500, True))
    tables["perft_contrasts"] = tables["perft_contrasts"].iloc[:0]
    found = advise(tables, adapter)
    assert found["status"] == "open"
    assert "But routed (PERFT-R) rank 4, of which a token meets fewer" in found["verdict"]


def test_adapters_that_learnt_nothing_or_ran_once_cannot_be_advised_on():
    assert "no adapter is better" in advise(adapters(("dense", 2.49, 9, True)), adapter)["verdict"]
    tables = adapters(("dense", 1.0, 9, True))
    tables["perft_summary"]["num_seeds"] = 1
    assert "one run of each adapter" in advise(tables, adapter)["verdict"]


def test_an_adapter_that_may_have_learnt_nothing_is_not_advised_for_being_small():
    tables = adapters(("dense", 2.42, 4000, True), ("routed", 2.47, 1500, True))
    found = advise(tables, adapter)
    assert found["verdict"].startswith("Take dense")
    assert "With less to spend" not in told(found)
    assert "Left out, as not surely better than the base: routed (PERFT-R) rank 4." in told(found)


def test_a_fault_that_is_repeated_on_purpose_is_never_advised():
    tables = adapters(("dense", 1.0, 4000, True), ("routed", 0.5, 1500, False))
    tables["perft_summary"].loc[1, "legacy_weighting"] = True
    assert advise(tables, adapter)["verdict"].startswith("Take dense")


def test_rooms_that_the_config_leaves_out_are_named():
    found = questions.answers("unified", routed())
    assert [each.key for each in found] == ["router", "layout", "energy", "adapter"]
    for each, room in zip(found[1:], ("parallel", "energy", "perft"), strict=True):
        assert each.status == "cannot say"
        assert f"add the key `{room}`" in each.verdict


def test_the_tables_asked_for_are_those_of_the_rooms_there_are():
    assert wanted.wanted("unified", ["claims"]) == ["unified_summary", "unified_contrasts"]
    assert "perft_contrasts" in wanted.wanted("unified", ["perft"])


def test_text_and_page_hold_every_verdict_and_the_page_links_every_table(tmp_path):
    tables = (
        routed() | adapters(("dense", 1.0, 4000, True)) | regimes((2, 8, 32, False, "single", None))
    )
    found = questions.answers("unified", tables)
    text = " ".join(written.text(found, "A machine.").split())
    rst.write(
        [*written.page(found, "A machine."), *written.evidence(found)],
        tmp_path / "a.rst",
        tmp_path / "a.html",
    )
    html = (tmp_path / "a.html").read_text()
    for each in found:
        assert " ".join(each.verdict.split()) in text
        for number in each.numbers:
            if number.column:
                assert f'href="tables/{number.table}.csv"' in html
    assert max(map(len, written.text(found, "A machine.").splitlines())) <= written.WIDTH


def test_a_number_that_is_not_in_its_table_is_seen():
    tables = routed()
    [plain] = as_json([router.answer("unified", tables)])
    plain["because"].append("Trust me, it is 97.531 times as good.")
    assert unaccounted(plain, tables) == ["97.531"]
    tables["unified_summary"]["val_ppl"] *= 1.01
    with pytest.raises(AssertionError):
        unaccounted(plain, tables)


def test_interval_without_ends_is_said_and_not_shown():
    line = Line("t", {"x_low": np.nan, "x_high": np.nan, "key": 1}, ("key",))
    quote = Quotes()
    assert quote.interval(line, "x", "count") == "no interval: too few repetitions"
    assert quote.numbers == []


def test_sides_are_exchanged_together_with_their_sign():
    swapped = FORMS["nats, sides exchanged, as a signed share of the perplexity"]
    assert swapped(np.log(1.25)) == "-20.0%"
    assert FORMS["nats as a signed share of the perplexity"](np.log(1.25)) == "+25.0%"


def test_energy_without_two_sizes_cannot_be_compared():
    empty = {"energy_crossover": pd.DataFrame(columns=list(energy.KEY)), "energy_cells": None}
    assert "at two sizes" in energy.answer(empty).verdict
