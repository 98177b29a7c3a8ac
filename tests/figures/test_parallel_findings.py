"""Sentences about layouts, each against the table it was read from."""

import re
from pathlib import Path

import pandas as pd
import pytest

from moebench import published_parallel, tables
from moebench.analysis.parallel.comparison import compare_published
from moebench.analysis.parallel.derived import COMPARISON
from moebench.analysis.parallel.links import fit_links
from moebench.analysis.parallel.model import fit_model
from moebench.analysis.parallel.schemas import CELL
from moebench.report import layout_advice, parallel, rst
from tests.analysis.parallel import truth
from tests.figures.test_parallel_figures import made  # noqa: F401 - a fixture

DURATIONS = Path(__file__).parents[2] / "resources/published/parallel_durations.csv"


@pytest.fixture
def everything(made):  # noqa: F811
    cells = made["parallel"]
    return {name: table.copy() for name, table in made.items()} | {
        "links": fit_links(list(truth.probe_rows(0.02))),
        "model": fit_model(cells, truth.links_table(), 0.3),
        "published": compare_published(cells, published_parallel.read(DURATIONS)),
    }


@pytest.mark.slow
def test_the_page_is_sound_and_says_no_nan(everything, tmp_path):
    parts = parallel.page(everything)
    rst.write(parts, tmp_path / "page.rst", tmp_path / "page.html")
    assert "nan" not in (tmp_path / "page.html").read_text().replace("dominant", "")


@pytest.mark.slow
def test_the_target_of_the_model_is_met_or_not_by_the_held_out_cells_alone(everything):
    cells = everything["parallel"].drop_duplicates(list(CELL))
    num = cells["is_held_out"].sum()
    met = re.fullmatch(
        rf"The model's median relative error on {num} held-out cells is (\d+)%; the target of 25% "
        "is met.",
        parallel.model_error(cells)[0],
    )
    assert int(met[1]) < 10
    cells.loc[cells["is_held_out"], "predicted_duration_s"] *= 1.6
    assert "is NOT met." in parallel.model_error(cells)[0]


@pytest.mark.slow
def test_costs_that_nothing_judges_are_named_and_not_shown(everything):
    model = everything["model"]
    assert parallel.unjudged(model) == []
    is_backward = model["direction"] == "forward_backward"
    held_out = model["num_held_out_cells"].where(~is_backward, 0)
    alone = model.assign(num_held_out_cells=held_out)
    [sentence] = parallel.unjudged(alone)
    assert sentence.endswith(": all layouts (forward and backward).")
    assert "forward and backward" not in parallel.model_table(alone)
    held_out = held_out.where(is_backward | (model["layout"] != "tensor"), 0)
    [sentence] = parallel.unjudged(model.assign(num_held_out_cells=held_out))
    assert ": tensor parallel (forward); all layouts (forward and backward)." in sentence
    assert parallel.model_table(model.assign(num_held_out_cells=0)) == ""


@pytest.mark.slow
def test_advice_counts_winners_and_ties_of_the_table(everything):
    sizes = everything["regimes"].query("world_size == 8 and direction == 'forward'")
    clear = sizes[~sizes["is_tie"]]
    [sentence] = [
        each
        for each in layout_advice.advice(
            everything["regimes"], everything["borders"], everything["predictions"]
        )
        if each.startswith("At 8 ranks, which share cores, forward, the")
    ]
    assert f"the fastest of {len(sizes)} measured sizes" in sentence
    for name, count in clear["fastest_layout"].value_counts().items():
        assert f"{layout_advice.layouts.label(name)} at {count} (" in sentence
    if sizes["is_tie"].any():
        assert f"a tie at {sizes['is_tie'].sum()}" in sentence


def test_a_border_is_named_where_the_grid_changes_hands():
    grid = pd.DataFrame(
        [
            {"world_size": 4, "direction": "forward", "num_experts": 4, "top_k": 2,
             "communicator": "mpi", "backend": "mpich", "hidden_dim": 128, "output_dim": 64,
             "batch_size": batch, "feature_dim": 256,
             "predicted_fastest_layout": "single" if batch < 100 else "tensor"}
            for batch in (8, 64, 128, 512)
        ]
    )  # fmt: skip
    [sentence] = layout_advice._would_change(grid)
    assert "batch 128 for width 256 (tensor parallel takes over from one process" in sentence
    [none] = layout_advice._would_change(grid.assign(predicted_fastest_layout="single"))
    assert "expects no change for batches 8 to 512: one process" in none


def test_predictions_are_called_so_and_name_the_stretches_of_ranks():
    table = pd.DataFrame(
        [
            {"link": "far", "scaling": "fixed", "direction": "forward", "world_size": ranks,
             "layout": layout, "predicted_duration_s": time}
            for ranks, (one, many) in {2: (1, 2), 4: (1, 2), 8: (1, 0.5)}.items()
            for layout, time in (("single", one), ("expert", many))
        ]
    )  # fmt: skip
    [sentence] = layout_advice._with_own_cores(table)
    assert sentence.startswith("Predicted, not measured:")
    assert "one process at 2 to 4 ranks and expert parallel at 8 ranks" in sentence


@pytest.mark.slow
def test_the_published_cells_stand_beside_the_same_cells_here(everything):
    table = everything["published"]
    cells = truth.cells(noise=0.03)
    line = table.query(
        "document == 'first' and table == 'top_k' and published_layout == 'TP' and top_k == 4"
        " and role == 'done well'"
    ).iloc[0]
    mine = cells.query(
        "layout == 'tensor' and direction == 'forward' and world_size == 4 and top_k == 4"
        " and batch_size == 8 and feature_dim == 32"
    ).iloc[0]
    assert line["median_duration_s"] == pytest.approx(mine["median_duration_s"])
    assert line["published_over_measured"] == pytest.approx(4.13e-3 / mine["median_duration_s"])
    assert line["first_block_ratio"] == 1.0


@pytest.mark.slow
def test_a_cell_that_was_not_measured_has_no_line(everything):
    table = everything["published"]
    assert not ((table["document"] == "first") & (table["feature_dim"] == 128)).any()
    assert set(table.loc[table["published_layout"] == "Simple", "layout"]) == {
        "single", "single_loop",
    }  # fmt: skip


@pytest.mark.slow
def test_the_comparison_reads_back_as_it_was_written(everything, tmp_path):
    tables.write(everything["published"], tmp_path / "published.csv")
    again = tables.read(tmp_path / "published.csv", COMPARISON)
    pd.testing.assert_frame_equal(again, everything["published"])


def test_repeatability_is_that_of_the_halves_of_a_job():
    cells = truth.cells().head(3).assign(halves_ratio=[1.02, 1 / 1.1, 1.3])
    sentence = parallel.repeatability(cells)[0]
    assert "factor of 1.10 (median over 3 cells) and 1.30 (largest)" in sentence
    assert "67% of the cells lie within 15 %" in sentence


def test_costs_are_shown_as_rates_and_those_that_do_not_show_as_a_dash():
    costs = {
        "layout": "tensor", "direction": "forward", "call_s": 4e-5, "expert_s": 2e-5,
        "operation_s": 0.0, "byte_s": 8e-11, "collective_factor": 1.3, "num_fitted_cells": 9,
        "fitted_median_relative_error": 0.1, "num_held_out_cells": 3,
        "held_out_median_relative_error": 0.2,
    }  # fmt: skip
    text = " ".join(parallel.model_table(pd.DataFrame([costs])).split())
    for shown in ("40.0", "20.0", "–", "12.5", "1.30"):
        assert shown in text
    assert "inf" not in text


def test_links_are_shown_in_microseconds_and_gigabytes():
    link = {
        "collective": "all_reduce", "world_size": 4, "is_oversubscribed": False,
        "latency_s": 8e-6, "bandwidth_bytes_per_s": 2e9, "median_relative_error": 0.05,
    }  # fmt: skip
    text = " ".join(parallel.links_table(pd.DataFrame([link])).split())
    for shown in ("all-reduce", "8.0", "2.00", "5%"):
        assert shown in text


def test_a_published_cell_of_unknown_width_stands_beside_the_smallest_measured():
    cells = truth.cells()
    both = pd.concat([cells.assign(feature_dim=2048), cells], ignore_index=True)
    table = compare_published(both, published_parallel.read(DURATIONS))
    unknown = table[table["feature_dim"].isna()]
    assert len(unknown)
    assert set(unknown["measured_feature_dim"]) == {32}
