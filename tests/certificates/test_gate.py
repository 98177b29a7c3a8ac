"""Who is ranked: only who is certified, by a certificate of this code that nobody edited."""

import numpy as np
import pandas as pd
import pytest

from moebench import tables
from moebench.analysis.certificates import gate, verdict
from moebench.analysis.certificates.schemas import CERTIFICATES
from moebench.analysis.certificates.tabulate import tabulate_certificates
from moebench.analysis.summary import summarise
from tests import rows as synthetic
from tests.certificates import made_up


@pytest.fixture(autouse=True)
def few_draws(monkeypatch):
    monkeypatch.setattr("moebench.analysis.summary.NUM_DRAWS", 50)


@pytest.fixture
def readings():
    """Four arms; expert choice has the best score, and loses 0.3 nats without the future."""
    nll = {"softk": 2.0, "hash": 2.1, "expert_choice": 1.0, "dense": 2.3}
    among = [("softk", 1.25), ("hash", 1.25), ("expert_choice", 1.25), ("dense", None)]

    def noisy(router, factor, seed):
        return nll[router] + 0.001 * seed

    rows = synthetic.experiment(noisy, lambda *_: 0.1, (0, 1), 6, among)
    return readings_where(rows, "expert_choice", lambda nll: nll + 0.3)


def summary(readings, certificates):
    return summarise(readings, np.random.default_rng(0), certificates).set_index("router")


def write(tmp_path, table):
    tables.write(table, tmp_path / "certificates.csv")
    return tmp_path / "certificates.csv"


def test_a_router_that_leaks_unsaid_is_kept_off_the_frontier(readings):
    others = readings_where(readings, "expert_choice", lambda nll: 3.0)
    honest = summary(others, tabulate_certificates(made_up.rows()))
    assert honest.loc["softk", "on_frontier"]
    caught = summary(others, tabulate_certificates(made_up.rows(lying="softk")))
    assert not caught.loc["softk", "on_frontier"]
    assert np.isnan(caught.loc["softk", "p_on_frontier"])
    assert caught.loc["softk", "certified"] == "non-causal"
    assert caught.loc["hash", "on_frontier"], "and pushes nobody off it"


def readings_where(readings, router, score):
    """The same rows, with other scores of one router."""
    return [
        synthetic.row(row.kind, synthetic.run_spec(router, 1.25, row.spec["seed"]),
                      **row.values | synthetic.causal_scores(
                          synthetic.run_spec(router), score(row.values["val_nll_nats"])))
        if row.kind == "final" and row.spec["router"] == router
        else row
        for row in readings
    ]  # fmt: skip


def test_the_frontier_is_one_of_causal_scores(readings):
    table = summary(readings, tabulate_certificates(made_up.rows()))
    arm = table.loc["expert_choice"]
    assert arm.on_frontier, "it says what it does, and wins by the score that it has without"
    assert arm.val_nll_nats == pytest.approx(1.0005)
    assert arm.val_nll_causal_nats == pytest.approx(1.3005)
    assert table.loc["softk"].val_nll_causal_nats == table.loc["softk"].val_nll_nats
    worse = readings_where(readings, "expert_choice", lambda nll: 4.0)
    assert not summary(worse, None).loc["expert_choice", "on_frontier"]
    assert summary(worse, None).loc["softk", "on_frontier"]


def test_a_dense_network_needs_no_certificate_and_none_are_made_where_not_asked_for(readings):
    table = summary(readings, tabulate_certificates(made_up.rows()))
    assert pd.isna(table.loc["dense", "certified"])
    assert table.loc["softk", "certified"] == "batch-coupled"
    assert summary(readings, None)["certified"].isna().all()


def test_an_arm_whose_certificate_is_missing_is_named(readings):
    some = [row for row in made_up.rows() if row.spec["router"] != "hash"]
    with pytest.raises(ValueError, match="certificate hash_position_batch is missing; run"):
        summary(readings, tabulate_certificates(some))


def test_a_certificate_that_is_missing_or_of_other_code_is_refused():
    rows, good = made_up.rows(), {"softk_position_batch": made_up.DIGEST}
    assert len(gate.vouching(rows, good)) == 5
    with pytest.raises(ValueError, match="certificate softk_gate_batch is missing; run certify"):
        gate.vouching(rows, good | {"softk_gate_batch": made_up.DIGEST})
    with pytest.raises(ValueError, match=f"is of code {made_up.DIGEST}, and the code is now 12"):
        gate.vouching(rows, {"softk_position_batch": "12"})


@pytest.mark.parametrize(
    ("column", "value"), [("found", "batch-coupled"), ("future_routes_changed", 0.0)]
)
def test_a_certificate_that_was_edited_by_hand_is_refused(tmp_path, column, value):
    table = tabulate_certificates(made_up.rows())
    table.loc[table["router"] == "expert_choice", ["future_output_change", column]] = (
        [0.5, value] if column == "found" else [0.0, value]
    )
    with pytest.raises(tables.TableError, match="not what the readings of its line show") as error:
        tables.read(write(tmp_path, table), CERTIFICATES)
    assert "\n" not in str(error.value)


def test_a_leak_alone_is_enough_to_be_called_non_causal():
    rows = [
        made_up.toy("softk", "batch-coupled", made_up.COUPLED, leak=0.02),
        made_up.trained("softk"),
    ]
    assert tabulate_certificates(rows)["found"].tolist() == ["non-causal"]
    rows = [
        made_up.toy("softk", "batch-coupled", made_up.COUPLED, leak=0.004),
        made_up.trained("softk"),
    ]
    assert tabulate_certificates(rows)["found"].tolist() == ["batch-coupled"]


def test_of_several_toys_the_worst_speaks():
    quiet = made_up.toy("softk", "token-local", made_up.LOCAL)
    loud = made_up.toy("softk", "token-local", made_up.LOOKING, leak=0.1)
    [found] = tabulate_certificates([quiet, loud, made_up.trained("softk")]).to_dict("records")
    assert (found["found"], found["leak_nats"], found["num_toys"]) == ("non-causal", 0.1, 2)


def test_of_several_toys_a_leak_that_is_sure_outweighs_a_larger_one_that_is_not():
    sure = made_up.toy("softk", "batch-coupled", made_up.COUPLED, leak=0.02)
    unsure = made_up.toy("softk", "batch-coupled", made_up.COUPLED, leak=0.03)
    unsure.values.update(leak_nats_low=-0.01, leak_nats_high=0.07)
    [found] = tabulate_certificates([sure, unsure, made_up.trained("softk")]).to_dict("records")
    assert (found["found"], found["leak_nats"]) == ("non-causal", 0.02)


def test_an_incomplete_certificate_is_named():
    with pytest.raises(ValueError, match="certificate softk_position_batch is incomplete"):
        tabulate_certificates([made_up.toy("softk", "token-local", made_up.LOCAL)])


def test_the_table_reads_back_as_it_was_written(tmp_path):
    table = tabulate_certificates(made_up.rows())
    back = tables.read(write(tmp_path, table), CERTIFICATES)
    pd.testing.assert_frame_equal(back, table)


def test_more_than_declared_is_a_lie_and_less_is_none():
    classes = [verdict.TOKEN_LOCAL, verdict.PREFIX_CAUSAL, verdict.BATCH_COUPLED]
    assert verdict.is_lie("token-local", "batch-coupled")
    assert not verdict.is_lie("batch-coupled", "token-local")
    assert not any(verdict.is_lie("non-causal", each) for each in classes)
