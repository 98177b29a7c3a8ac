"""A router at random shows no specialisation, a planted one is found; tables count right."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

from moebench.analysis.specialisation import information as info
from moebench.analysis.specialisation import tabulate
from moebench.analysis.specialisation.classes import CLASSES, class_of, class_V
from moebench.analysis.specialisation.passage import first_choices, tabulate_passage
from moebench.traces import Traces, read, write
from tests.traced import E, S, W, trace, traces

VOCABULARY = ["<eod>", "a", "B", " ", "7"]


def text_of(found, num_shuffles=99, seed=0):
    return tabulate.read_text(found, VOCABULARY, num_shuffles, np.random.default_rng(seed))


def long_text(experts_of_class, num_windows=40, seq_len=32, seed=0):
    """Traces of two states over runs of equal tokens: untrained at random, trained as given."""
    rng = np.random.default_rng(seed)
    # Text in which a token resembles the one before it, as in words.
    steps = rng.random((num_windows, seq_len)) < 0.3
    ids_WS = (rng.integers(4, size=(num_windows, 1)) + steps.cumsum(axis=1)) % 4 + 1
    random_TK = rng.random((num_windows * seq_len, E)).argsort(axis=1)[:, :2]
    trained_TK = experts_of_class(ids_WS.reshape(-1), rng)
    return Traces(
        experiment="x",
        token_id_WS=ids_WS.astype(np.uint32),
        traces=[
            trace(state="untrained", experts_TK=random_TK),
            trace(state="trained", experts_TK=trained_TK),
        ],
    )


def at_random(ids_T, rng):
    return rng.random((len(ids_T), E)).argsort(axis=1)[:, :2]


def at_random_in_runs(ids_T, rng):
    """Choices that last for eight tokens, whatever these are."""
    return np.repeat(at_random(ids_T[::8], rng), 8, axis=0)


def a_little_by_class(ids_T, rng):
    """One token in eight goes to the expert of its class."""
    chosen_TK = at_random(ids_T, rng)
    planted_T = rng.random(len(ids_T)) < 0.125
    own_T, other_T = (ids_T - 1) % E, ids_T % E
    return np.where(planted_T[:, None], np.stack([own_T, other_T], axis=1), chosen_TK)


@pytest.mark.slow
@pytest.mark.parametrize("router", [at_random, at_random_in_runs])
def test_a_router_at_random_shows_no_specialisation_beyond_its_interval(router):
    beyond, outside, learnt = [], [], []
    for seed in range(10):
        found = long_text(router, seed=seed)
        row = tabulate.tabulate_specialisation(found, text_of(found, 39, seed)).iloc[1]
        beyond.append(row["p_value"] <= 0.05)
        outside.append(row["class_information_unbiased_nats_low"] > 0)
        learnt.append(row["learnt_nats_low"] > 0)
        assert abs(row["class_information_unbiased_nats"]) < 0.02
    assert sum(beyond) <= 2
    assert sum(outside) <= 2
    assert sum(learnt) <= 2


def test_a_planted_specialisation_is_found():
    found = long_text(a_little_by_class)
    before, after = tabulate.tabulate_specialisation(found, text_of(found)).to_dict("records")
    assert after["p_value"] == 0.01
    assert after["learnt_nats_low"] > 0
    assert after["class_information_nats"] > after["chance_nats_high"]
    assert before["p_value"] > 0.05
    assert np.isnan(before["learnt_nats"])


def test_a_router_that_sends_all_tokens_to_the_same_experts_is_no_better_than_chance():
    found = long_text(lambda ids_T, rng: np.tile([0, 1], (len(ids_T), 1)))
    _, after = tabulate.tabulate_specialisation(found, text_of(found)).to_dict("records")
    assert after["p_value"] == 1


def test_planted_classes_stand_out_with_their_expert_and_no_other():
    def by_class(ids_T, rng):
        return np.stack([ids_T - 1, ids_T % E], axis=1)

    found = long_text(by_class)
    shares = tabulate.tabulate_shares(found, text_of(found))
    trained = shares[shares["state"] == "trained"].set_index(["expert", "token_class"])
    assert trained.loc[(0, "lower case"), "share_low"] > trained["text_share"].max()
    assert trained.loc[(1, "digit"), "share"] == 0
    assert trained.loc[(1, "digit"), ["share_low", "share_high"]].isna().all()
    by_expert = shares.groupby(["state", "expert"])["share"].sum()
    assert by_expert.to_list() == pytest.approx([1.0] * len(by_expert))


def test_information_is_the_entropy_where_the_expert_tells_all_and_zero_where_nothing():
    assert info.mutual_information_nats(np.array([[6, 0], [0, 2]])) == pytest.approx(
        info.entropy_nats(np.array([6, 2]))
    )
    assert info.mutual_information_nats(np.array([[6, 3], [2, 1]])) == pytest.approx(0)


def test_the_jackknife_takes_away_the_bias_of_few_tokens():
    rng = np.random.default_rng(0)
    raw, unbiased = [], []
    for _ in range(200):
        count_WGE = rng.multinomial(6, np.full(12, 1 / 12), size=20).reshape(20, 3, 4)
        whole = info.mutual_information_nats(count_WGE.sum(axis=0))
        rest = info.mutual_information_nats(info.without_each_window(count_WGE))
        raw.append(float(whole))
        unbiased.append(info.pseudo_values(whole, rest).mean())
    assert np.mean(raw) > 0.02
    assert abs(np.mean(unbiased)) < 0.003


def test_vocabulary_share_is_one_where_every_token_id_has_its_own_experts():
    assert info.favourite_share(np.array([[5, 0, 0], [0, 3, 3]]), 2) == 1
    assert info.favourite_share(np.array([[2, 2, 2, 2]]), 1) == 0.25


def test_load_and_pairs_are_those_counted_by_hand():
    experts_TK = [[0, 1], [0, 1], [0, 2], [3, 2]]
    found = dataclasses.replace(traces(), traces=[trace(experts_TK=experts_TK)])
    load = tabulate.tabulate_load(found)
    assert load["requested_share"].tolist() == pytest.approx([3 / 8, 2 / 8, 2 / 8, 1 / 8])
    assert load["kept_share"].sum() == pytest.approx(6 / 8)
    pairs = tabulate.tabulate_coactivation(found).set_index(["expert", "other"])
    assert pairs.loc[(0, 1), "share"] == pytest.approx(2 / 3)
    assert pairs.loc[(1, 0), "share"] == 1
    assert pairs.loc[(1, 3), "share"] == 0
    assert pairs.loc[(0, 1), "by_load"] == pytest.approx(2 / 5)
    assert pairs.loc[(1, 3), "by_load"] == pytest.approx(1 / 6)


def test_single_choices_have_no_pairs():
    found = dataclasses.replace(traces(), traces=[trace(experts_TK=[[0], [1], [2], [0]])])
    assert tabulate.tabulate_coactivation(found).empty


def test_equal_weights_are_told_as_ties_and_unequal_ones_are_not():
    one = trace(experts_TK=[[2, 1], [3, 0], [0, 1]])
    weight_M = np.array([0.4, 0.6, 0.5, 0.5, 0.7, 0.3], dtype=np.float32)
    is_first_M, is_tied_N = first_choices(dataclasses.replace(one, weight_M=weight_M))
    assert is_first_M.tolist() == [False, True, True, False, True, False]
    assert is_tied_N.tolist() == [False, True, False]


def test_a_passage_has_every_choice_of_its_tokens_once_and_one_first():
    table = tabulate_passage(traces(), VOCABULARY, S)
    assert len(table) == 2 * 2 * S * 2
    assert (table.groupby(["state", "layer", "position"])["is_first"].sum() == 1).all()
    assert table["seed"].unique().tolist() == [0]
    ids = traces().token_id_WS[0]
    assert [json.loads(text) for text in table["text"][::2]] == [VOCABULARY[i] for i in ids] * 4


def test_a_passage_longer_than_a_window_is_refused():
    with pytest.raises(ValueError, match=f"passage_tokens={S + 1} must be at most the {S} tokens"):
        tabulate_passage(traces(), VOCABULARY, S + 1)


def test_a_single_window_gives_no_chance_to_compare_with():
    with pytest.raises(ValueError, match="hold a single window"):
        text_of(traces(token_id_WS=np.zeros((1, W * S), dtype=np.uint32)))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *(("a", "lower case"), ("Z", "upper case"), ("0", "digit"), (" ", "space")),
        *(("\n", "line break"), ("_", "punctuation"), ("<eod>", "other"), ("\u00e9", "lower case")),
        *(("<0x41>", "upper case"), ("<0xC3>", "other"), ("\u0120the", "lower case")),
        *(("\u2581", "space"), ("<", "punctuation"), ("   x", "lower case"), ("\u20ac", "other")),
    ],
)
def test_a_token_is_of_the_class_of_its_first_character(name, expected):
    assert class_of(name) == expected
    assert CLASSES[class_V([name])[0]] == expected


def test_traces_read_back_as_they_were_written_and_equal_ones_give_equal_bytes(tmp_path):
    write(traces(), tmp_path / "a.npz")
    write(traces(), tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    again = read(tmp_path / "a.npz")
    assert (again.token_id_WS == traces().token_id_WS).all()
    for one, other in zip(again.traces, traces().traces, strict=True):
        for field in dataclasses.fields(one):
            assert np.array_equal(getattr(one, field.name), getattr(other, field.name)), field.name


def test_tables_of_traces_survive_a_csv_file(tmp_path):
    table = tabulate_passage(traces(), ["null", "NA", '"', ",", "\n"], S)
    table.to_csv(tmp_path / "passage.csv", index=False)
    assert pd.read_csv(tmp_path / "passage.csv")["text"].tolist() == table["text"].tolist()
