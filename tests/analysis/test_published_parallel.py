"""Published durations of parallel layouts are those of the reports, contradictions included."""

from pathlib import Path

import pytest

from moebench import published_parallel, tables

DURATIONS = Path(__file__).parents[2] / "resources/published/parallel_durations.csv"


@pytest.fixture(scope="module")
def durations():
    return published_parallel.read(DURATIONS)


@pytest.mark.parametrize(
    ("document", "table", "published_layout", "cell", "duration_s"),
    [
        ("first", "batch_size", "TP", {"batch_size": 64}, 16.45e-3),
        ("first", "top_k", "EP", {"top_k": 4}, 0.23e-3),
        ("first", "feature_dim", "EP", {"feature_dim": 128}, 425.07e-3),
        ("second", "batch_size", "Simple", {"batch_size": 32}, 0.95e-3),
        ("second", "top_k", "TP", {"top_k": 8}, 0.656e-3),
        ("second", "world_size", "EP", {"world_size": 2}, 0.105e-3),
    ],
)
def test_the_table_repeats_the_reports(
    durations, document, table, published_layout, cell, duration_s
):
    wanted = {"document": document, "table": table, "published_layout": published_layout, **cell}
    rows = durations[(durations[list(wanted)] == list(wanted.values())).all(axis=1)]
    assert rows["published_duration_s"].tolist() == [pytest.approx(duration_s)]


def test_the_table_is_complete(durations):
    assert durations.groupby(["document", "table"]).size().to_dict() == {
        ("first", "batch_size"): 12,
        ("first", "feature_dim"): 12,
        ("first", "top_k"): 9,
        ("second", "batch_size"): 9,
        ("second", "top_k"): 9,
        ("second", "world_size"): 9,
    }


def test_no_row_uses_more_experts_per_sample_than_there_are(durations):
    assert (durations["top_k"] <= durations["num_experts"]).all()
    clipped = durations[durations["top_k"] < durations["published_top_k"]]
    assert set(clipped["world_size"]) == {2}


def test_the_reports_contradict_themselves_by_more_than_twofold(durations):
    cell = ["document", "published_layout", *published_parallel.CELL, "feature_dim"]
    same = durations.groupby(cell, dropna=False)["published_duration_s"]
    spread = (same.max() / same.min()).groupby("document").max()
    assert spread["first"] == pytest.approx(5.90 / 2.21)
    assert spread["second"] == pytest.approx(0.392 / 0.191)


def test_a_longest_call_below_the_shortest_is_noticed(durations, tmp_path):
    tables.write(durations.assign(published_max_duration_s=1e-9), tmp_path / "spoilt.csv")
    with pytest.raises(tables.TableError, match="shorter than the shortest"):
        published_parallel.read(tmp_path / "spoilt.csv")
