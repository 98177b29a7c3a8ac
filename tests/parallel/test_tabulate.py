"""From rows of calls to the table of cells."""

import dataclasses

import numpy as np
import pytest

from moebench import tables
from moebench.analysis.parallel import repeat
from moebench.analysis.parallel.printed import published_way
from moebench.analysis.parallel.schemas import PARALLEL
from moebench.analysis.parallel.tabulate import (
    block_interval,
    duration_stats,
    tabulate_cells,
)
from tests.parallel.rows import call, cell, memory

PROMISED = [
    *("sweep", "layout", "communicator", "backend", "world_size", "oversubscribed"),
    *("num_experts", "batch_size", "top_k", "feature_dim", "hidden_dim", "direction"),
    *("min_duration_s", "median_duration_s", "mean_duration_s", "mean_low_s", "mean_high_s"),
    *("max_duration_s", "throughput_samples_per_s", "comm_calls", "comm_bytes", "comm_s"),
    *("peak_memory_bytes", "predicted_duration_s"),
]
BLOCKS = [[1e-3, 2e-3, 6e-3]] * 8


def test_the_table_has_the_promised_columns_and_one_row_per_cell():
    rows = cell(BLOCKS) + cell(BLOCKS, layout="single") + cell(BLOCKS, batch_size=64)
    table = tabulate_cells(rows)
    assert set(PROMISED) <= set(table.columns)
    assert len(table) == 3


def test_every_call_of_every_block_counts():
    [line] = tabulate_cells(cell([[1e-3, 2e-3], [3e-3, 10e-3]] * 3)).to_dict("records")
    assert line["num_calls"] == 12
    assert line["num_blocks"] == 6
    assert line["min_duration_s"] == 1e-3
    assert line["median_duration_s"] == pytest.approx(2.5e-3)
    assert line["mean_duration_s"] == pytest.approx(4e-3)
    assert line["max_duration_s"] == 10e-3
    assert line["throughput_samples_per_s"] == pytest.approx(8 / 2.5e-3)


def test_ranks_that_outnumber_cores_are_marked():
    table = tabulate_cells(cell(BLOCKS) + cell(BLOCKS, world_size=2))
    assert dict(zip(table["world_size"], table["oversubscribed"], strict=True)) == {
        4: True,
        2: False,
    }


def test_a_row_that_hides_oversubscription_is_refused():
    rows = cell(BLOCKS)
    hidden = [
        dataclasses.replace(row, setting=row.setting | {"is_oversubscribed": False}) for row in rows
    ]
    with pytest.raises(
        tables.TableError, match="oversubscribed does not say whether ranks x threads exceed cores"
    ):
        tabulate_cells(hidden)


def test_the_interval_of_the_mean_covers_it_as_promised():
    rng = np.random.default_rng(0)
    num_samples, hits = 150, 0
    for _ in range(num_samples):
        block_B = 1 + 0.1 * rng.standard_normal(10)
        duration_BN = block_B[:, None] + 0.02 * rng.standard_normal((10, 3))
        low, high = block_interval(duration_BN, np.mean)
        hits += low <= 1 <= high
    assert 0.84 <= hits / num_samples <= 0.99


def test_calls_of_one_block_are_not_taken_for_independent():
    """All scatter is between blocks: more calls in each tell nothing new."""
    block_B = np.linspace(1, 2, 10)
    few, many = (np.repeat(block_B[:, None], calls, axis=1) for calls in (2, 200))
    assert block_interval(few, np.mean) == pytest.approx(block_interval(many, np.mean))


def test_too_few_blocks_have_no_interval():
    stats = duration_stats(np.ones((5, 3)))
    assert np.isnan(stats["mean_low_s"])
    assert np.isnan(stats["median_high_s"])


def test_a_cold_first_block_shows():
    durations = [[4e-3] * 3] + [[2e-3] * 3] * 9
    assert duration_stats(np.array(durations))["first_block_ratio"] == pytest.approx(2)
    assert duration_stats(np.array(durations[1:]))["first_block_ratio"] == pytest.approx(1)


def test_the_time_of_communication_is_the_median_of_the_blocks():
    spent_s = [1e-5, 2e-5, 9e-5, 2e-5, 1e-5, 2e-5]
    calls = [call(block, [1e-3], {"comm_s": each}) for block, each in enumerate(spent_s)]
    [line] = tabulate_cells([*calls, memory()]).to_dict("records")
    assert line["comm_s"] == 2e-5


def test_collectives_that_are_not_called_take_no_time():
    [line] = tabulate_cells(cell(BLOCKS)).to_dict("records")
    assert line["all_reduce_s"] == pytest.approx(1e-5)
    assert line["all_to_all_s"] == 0
    assert line["predicted_memory_bytes"] == 152_048


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (cell(BLOCKS)[:-1] + [memory(layout="single")], "was timed, but its memory was not"),
        ([*cell(BLOCKS), memory(layout="single")], "has its memory measured, but was not timed"),
        (cell(BLOCKS) + [call(0, [1e-3])], "a block of .* stands twice"),
        (cell(BLOCKS) + [memory()], "memory of .* stands twice"),
        (cell([[1e-3, 2e-3], [1e-3]]), "different numbers of calls"),
        (cell(BLOCKS) + [call(9, BLOCKS[0], {"comm_bytes": 1})], "differ in comm_bytes"),
        ([memory()], "there is no call row"),
    ],
)
def test_rows_that_do_not_make_a_cell_are_refused(rows, message):
    with pytest.raises(ValueError, match=message):
        tabulate_cells(rows)


def test_rows_of_one_cell_under_two_settings_are_refused():
    rows = cell(BLOCKS)
    rows[0] = dataclasses.replace(rows[0], setting=rows[0].setting | {"threads": 2})
    with pytest.raises(ValueError, match="differ in their setting"):
        tabulate_cells(rows)


def test_a_cell_that_several_sweeps_ask_for_has_a_line_in_each():
    table = tabulate_cells(cell(BLOCKS, sweeps=["parallel_batch", "parallel_topk"]))
    assert table["sweep"].tolist() == ["parallel_batch", "parallel_topk"]
    assert table["median_duration_s"].nunique() == 1
    assert repeat.compare(table, table).num_cells == 1


def test_earlier_and_later_blocks_stand_beside_each_other():
    durations_BN = np.array([[2e-3] * 3] * 3 + [[3e-3] * 3] * 4)
    assert duration_stats(durations_BN)["halves_ratio"] == pytest.approx(1.5)
    assert np.isnan(duration_stats(durations_BN[:1])["halves_ratio"])


def test_repeatability_is_the_share_of_cells_within_fifteen_per_cent():
    def measured(*factors):
        return tabulate_cells(
            [
                row
                for size, factor in zip((8, 16, 32, 64), factors, strict=True)
                for row in cell([[factor * 1e-3] * 3] * 6, batch_size=size)
            ]
        )

    found = repeat.compare(measured(1.0, 1.14, 1 / 1.14, 1.3), measured(1, 1, 1, 1))
    assert found.num_cells == 4
    assert found.share_within == 0.75
    assert found.largest_ratio == pytest.approx(1.3)
    assert "75% of 4 cells" in str(found)
    with pytest.raises(ValueError, match="share no cell"):
        repeat.compare(measured(1, 1, 1, 1), tabulate_cells(cell(BLOCKS, batch_size=7)))


def test_the_published_table_is_printed_with_one_line_per_cell():
    layouts = ("expert", "single", "tensor", "brand_new")
    rows = [
        row
        for layout in layouts
        for size in (8, 16)
        for row in cell([[2e-3] * 3] * 6, layout=layout, batch_size=size)
    ]
    text = published_way(tabulate_cells(rows))
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert [line.split("|")[1].strip() for line in lines[2:]] == ["Simple", "TP", "EP", "-"] * 2
    assert [line.split("|")[3].strip() for line in lines[2:]] == ["8"] * 4 + ["16"] * 4
    assert [each.strip() for each in lines[2].split("|")[4:8]] == ["2.000"] * 3 + ["0.30"]
    assert "4 ranks x 1 threads share 2 cores" in text


def test_a_table_reads_back_as_it_was_written(tmp_path):
    table = tabulate_cells(cell(BLOCKS))
    tables.write(table, tmp_path / "parallel.csv")
    assert tables.read(tmp_path / "parallel.csv", PARALLEL).equals(table)
