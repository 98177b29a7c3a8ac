"""Which differences are told from none."""

import dataclasses

import numpy as np
import pytest

from moebench.analysis.contrasts import contrasts, verdict
from tests import rows as synthetic


def test_pairs_differ_in_one_thing_and_families_answer_one_question():
    found = contrasts(synthetic.plausible())
    sizes = found.groupby("family").size().to_dict()
    # Seven arms at each capacity factor, of which two baselines have none and are paired once.
    assert sizes == {
        "router, capacity_factor=1.0": 20,
        "router, capacity_factor=1.25": 20,
        "router": 1,
        "capacity_factor": 5,
    }


def test_signs_say_whether_a_is_lower():
    nll = {"top1": 3.0, "softk": 2.0, "hash": 2.0}
    wobble = {"top1": [0, 1e-4, -1e-4], "softk": [1e-4, 0, 0], "hash": [0, 2e-4, -1e-4]}
    found = contrasts(
        synthetic.experiment(
            lambda router, factor, seed: nll[router] + wobble[router][seed],
            lambda router, factor, round: 0.1,
            among=[(router, 1.0) for router in nll],
        )
    ).set_index(["router_a", "router_b"])
    assert found["verdict"].to_dict() == {
        ("hash", "softk"): "tie",
        ("hash", "top1"): "lower",
        ("softk", "top1"): "lower",
    }
    assert found.loc[("hash", "top1"), "val_nll_difference_nats"] == pytest.approx(-1, abs=1e-3)


def test_verdicts_hold_for_the_family_by_holm():
    found = contrasts(synthetic.plausible())
    for _, family in found.groupby("family"):
        p = np.sort(family["p_value"].to_numpy())
        expected = np.minimum(np.maximum.accumulate(p * np.arange(len(p), 0, -1)), 1)
        assert np.sort(family["p_value_holm"]) == pytest.approx(expected)
        assert ((family["verdict"] == "tie") == (family["p_value_holm"] >= 0.05)).all()


@pytest.mark.slow
def test_of_arms_that_do_not_differ_hardly_any_family_calls_one_different():
    rng = np.random.default_rng(0)
    rows = []
    seed_S = 30 + 5 * rng.normal(size=3)
    for factor in range(1, 17):
        for router in synthetic.ROUTERS:
            for seed, nll in enumerate(seed_S + rng.normal(size=3)):
                spec = synthetic.run_spec(router, float(factor), seed)
                rows.append(synthetic.final(spec, float(nll)))
    found = contrasts(rows)
    families = found[found["factor"] == "router"].groupby("family")
    assert len(families) == 16
    assert families["p_value"].min().lt(0.05).sum() >= 4  # one of ten pairs is soon below 5 %
    assert families["verdict"].agg(lambda each: (each != "tie").any()).sum() <= 1


def test_a_baseline_is_compared_at_every_capacity_factor():
    found = contrasts(synthetic.plausible())
    against = found[(found["router_a"] == "dense") & (found["router_b"] == "softk")]
    assert against["capacity_factor_b"].tolist() == [1.0, 1.25]
    assert against["capacity_factor_a"].isna().all()


@pytest.mark.parametrize(
    ("difference", "p_value", "expected"),
    [(-1.0, 0.01, "lower"), (1.0, 0.01, "higher"), (1.0, 0.05, "tie"), (1.0, np.nan, None)],
)
def test_verdict_is_a_tie_unless_the_p_value_is_below_5_percent(difference, p_value, expected):
    assert verdict(difference, p_value) == expected


def documents(row, nll_K, num_tokens_K):
    found = {"val_nll_document_causal_nats": nll_K, "val_document_tokens": num_tokens_K}
    return dataclasses.replace(row, values=row.values | found) if row.kind == "final" else row


def test_every_pair_is_set_on_other_text_by_the_documents_that_all_were_scored_on():
    rng, text = np.random.default_rng(0), ["val_nll_difference_nats_text_low",
                                           "val_nll_difference_nats_text_high"]  # fmt: skip
    rows = [
        documents(row, rng.normal(2, 0.1, 6).tolist(), [9] * 6) for row in synthetic.plausible()
    ]
    found = contrasts(rows)
    assert found[text].notna().all(axis=None)
    width = found["val_nll_difference_nats_high"] - found["val_nll_difference_nats_low"]
    assert (found[text[1]] - found[text[0]] > width).all()
    last = max(n for n, row in enumerate(rows) if row.kind == "final")
    rows[last] = documents(rows[last], [2.0] * 6, [9, 9, 9, 9, 9, 10])
    assert contrasts(rows)[text].isna().all(axis=None)
