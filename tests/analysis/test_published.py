"""Published numbers, and the order measured here beside them."""

from pathlib import Path

import numpy as np
import pytest

from moebench import published, tables
from moebench.analysis.contrasts import contrasts
from moebench.analysis.ranking import compare_published
from moebench.analysis.schemas import COMPARISON
from moebench.analysis.summary import summarise
from tests import rows as synthetic

UNIFIED = Path(__file__).parents[2] / "resources/published/unified.csv"


@pytest.fixture(scope="module")
def unified():
    return published.read(UNIFIED)


def compare(rows, table):
    summary = summarise(rows, np.random.default_rng(0))
    return compare_published(summary, table, contrasts(rows))


@pytest.mark.parametrize(
    ("router", "capacity_factor", "val_ppl", "published_tokens_per_s", "drop_rate"),
    [
        ("expert_choice", 1.25, 5.498171599204365, 25560956.75874851, 0.03591601053873698),
        ("softk", 1.0, 5.707789181643612, 27720986.415513203, 0.08791287740071614),
        ("top1", 1.25, 6.690074900741031, 33074062.471084163, 0.25124359130859375),
        ("topk_hard", 1.0, 6.506754473521855, 30126711.224784713, 0.25382041931152344),
    ],
)
def test_table_repeats_the_source(
    unified, router, capacity_factor, val_ppl, published_tokens_per_s, drop_rate
):
    line = unified.set_index(["router", "capacity_factor"]).loc[(router, capacity_factor)]
    assert line.val_ppl == val_ppl
    assert line.published_tokens_per_s == published_tokens_per_s
    assert line.corrected_tokens_per_s_with_validation == pytest.approx(
        published_tokens_per_s / 200
    )
    assert line.train_drop_rate == drop_rate
    assert np.exp(line.val_nll_nats) == pytest.approx(val_ppl)
    assert line.source.startswith("yuninxia/moe-routing-bench@bb9bb0b:")


def test_table_is_complete(unified):
    assert len(unified) == 10
    assert set(unified["router"]) == set(synthetic.ROUTERS)


def test_a_changed_throughput_is_noticed(unified, tmp_path):
    tables.write(unified.assign(published_tokens_per_s=1e5), tmp_path / "unified.csv")
    with pytest.raises(tables.TableError, match="excess factor"):
        published.read(tmp_path / "unified.csv")


@pytest.mark.slow
def test_equal_routers_tie_at_every_rank(unified):
    rng = np.random.default_rng(0)
    rows = synthetic.experiment(
        lambda router, factor, seed: 2 + 0.01 * float(rng.normal()),
        lambda router, factor, round: 0.1,
    )
    found = compare(rows, unified)
    assert len(found) == 10
    assert found["is_consistent"].all()
    assert (found["rank_from"] == 1).all()
    assert (found["rank_to"] == 5).all()
    assert found["tied_with"].iloc[0] == " ".join(
        sorted(set(synthetic.ROUTERS) - {found["router"].iloc[0]})
    )


@pytest.mark.slow
def test_a_reversed_order_is_not_consistent(unified, tmp_path):
    at_one = unified[unified["capacity_factor"] == 1.0].sort_values("val_nll_nats")
    place = {router: i for i, router in enumerate(at_one["router"])}
    rows = synthetic.experiment(
        lambda router, factor, seed: 3 - 0.2 * place.get(router, 0) + 1e-9 * seed * len(router),
        lambda router, factor, round: 0.1,
    )
    found = compare(rows, at_one)
    assert found["published_rank"].tolist() == [1, 2, 3, 4, 5]
    assert found["rank"].tolist() == [5, 4, 3, 2, 1]
    assert found["rank_from"].tolist() == found["rank_to"].tolist() == found["rank"].tolist()
    assert found["is_consistent"].tolist() == [False, False, True, False, False]
    assert found["tied_with"].isna().all()
    tables.write(found, tmp_path / "found.csv")
    assert tables.read(tmp_path / "found.csv", COMPARISON).equals(found)


def test_the_published_order_of_quality_is_not_the_claimed_one(unified):
    for factor in (1.0, 1.25):
        lines = unified[unified["capacity_factor"] == factor].sort_values("val_nll_nats")
        assert not lines["claimed_rank"].is_monotonic_increasing


def test_nothing_in_common_is_said(unified):
    rows = synthetic.experiment(
        lambda router, factor, seed: 2.0 + 0.1 * seed,
        lambda router, factor, round: 0.1,
        among=[("softk", 4.0)],
    )
    with pytest.raises(ValueError, match="no router is known here and published"):
        compare(rows, unified)
