"""The model of durations, on machines whose truth is known."""

import numpy as np
import pandas as pd
import pytest

from moebench.analysis.parallel.borders import borders
from moebench.analysis.parallel.links import Message
from moebench.analysis.parallel.model import (
    TERMS,
    Model,
    fit_model,
    held_out_error,
    predict,
    with_split,
)
from moebench.analysis.parallel.scaling import GROWING, RANKS, LinkFigures, predictions
from tests.analysis.parallel import truth

SHARE = 0.3
FIGURES = {
    "fast": {"latency_s": 2e-6, "bandwidth_bytes_per_s": 4e11, "source": "made up"},
    "slow": {"latency_s": 50e-6, "bandwidth_bytes_per_s": 1e9, "source": "made up"},
}


def fitted(cells):
    return fit_model(cells, truth.links_table(), SHARE)


def predicted(cells):
    return predict(cells, truth.links_table(), fitted(cells), SHARE)


def test_known_costs_are_found():
    table = fitted(truth.cells(noise=0.0)).set_index(["layout", "direction"])
    for layout in ("tensor", "expert_replicated"):
        found = table.loc[(layout, "forward"), list(TERMS)].astype(float)
        assert found.to_dict() == pytest.approx(truth.COSTS, rel=0.02)


def test_held_out_cells_of_the_true_model_are_predicted_within_its_noise():
    cells = predicted(truth.cells(noise=0.03))
    assert held_out_error(cells) < 0.05
    assert (fitted(truth.cells(noise=0.03))["held_out_median_relative_error"] < 0.06).all()


def test_a_wrong_model_has_a_large_held_out_error():
    """Times that depend on something the terms do not hold: another for every size."""
    cells = truth.cells(noise=0.0)
    sizes = cells[["world_size", "batch_size", "feature_dim", "top_k", "num_experts"]]
    numbers = pd.util.hash_pandas_object(sizes, index=False)
    cells["median_duration_s"] *= np.where(numbers % 2 == 0, 0.2, 5.0)
    assert held_out_error(predicted(cells)) > 0.5


def test_the_split_depends_on_the_sizes_alone():
    cells = truth.cells()
    split = with_split(cells, SHARE)
    sizes = ["world_size", "num_experts", "batch_size", "top_k", "feature_dim"]
    assert (split.groupby(sizes)["is_held_out"].nunique() == 1).all()
    by_size = split.drop_duplicates(sizes)["is_held_out"]
    assert by_size.sum() == int(SHARE * len(by_size))
    shuffled = with_split(cells.sample(frac=1, random_state=1), SHARE)
    assert shuffled["is_held_out"].sort_index().equals(split["is_held_out"])


def test_held_out_cells_do_not_fit_the_model():
    cells = truth.cells()
    held_out = with_split(cells, SHARE)["is_held_out"]
    spoilt = cells.assign(
        median_duration_s=cells["median_duration_s"].where(
            ~held_out, cells["median_duration_s"] * 9
        )
    )
    assert fitted(spoilt)[list(TERMS)].equals(fitted(cells)[list(TERMS)])
    assert held_out_error(predicted(spoilt)) > 0.8


def test_a_layout_without_known_costs_has_no_prediction_and_no_line():
    cells = truth.cells()
    cells.loc[cells["layout"] == "tensor", "layout"] = "of_tomorrow"
    assert "of_tomorrow" not in set(fitted(cells)["layout"])
    unknown = predicted(cells).set_index("layout")["predicted_duration_s"].isna()
    assert unknown["of_tomorrow"].all()
    assert not unknown.drop("of_tomorrow").any()


def test_costs_that_no_held_out_cell_judges_predict_nothing():
    table = fitted(truth.cells())
    is_backward = table["direction"] == "forward_backward"
    assert is_backward.any()
    judged = Model.of(table.assign(num_held_out_cells=(~is_backward).astype(int)))
    assert judged.costs
    assert {direction for _, direction in judged.costs} == {"forward"}
    time_s = judged.duration_s(with_split(truth.cells(), SHARE), truth.LINKS)
    assert time_s[truth.cells()["direction"] == "forward_backward"].isna().all()


def test_ranks_that_share_cores_compute_slower_and_one_alone_does_not():
    model = Model({("tensor", "forward"): np.array([1e-3, 0, 0, 0, 0])} | {
        ("single", "forward"): np.array([1e-3, 0, 0, 0, 0])
    })  # fmt: skip
    cells = with_split(truth.cells(), SHARE)
    time = model.duration_s(cells, truth.LINKS)
    forward = cells["direction"] == "forward"
    crowded = forward & (cells["world_size"] == 8)
    assert time[crowded & (cells["layout"] == "tensor")].tolist() == pytest.approx(
        [2e-3] * (crowded & (cells["layout"] == "tensor")).sum()
    )
    assert (time[crowded & (cells["layout"] == "single")] == 1e-3).all()


def test_borders_lie_where_the_true_costs_cross():
    """On the grid, the layout of the border table is the one of the lowest true time."""
    cells = truth.cells(noise=0.0, layouts=("single", "tensor"))
    model = Model.of(fitted(cells))
    grid = borders(cells, model, truth.LINKS)
    crowded = grid[(grid["world_size"] == 8) & (grid["direction"] == "forward")]
    assert set(crowded["predicted_fastest_layout"]) == {"single", "tensor"}
    both = pd.concat(
        [crowded.assign(layout=name) for name in ("single", "tensor")], ignore_index=True
    )
    both = with_split(both.assign(threads=1, num_cores=truth.NUM_CORES), 0.0)
    exact = Model(
        {(name, "forward"): np.array(list(truth.COSTS.values())) for name in ("single", "tensor")}
    ).duration_s(both, truth.LINKS)
    wide = both.assign(exact=exact).pivot(
        index=["batch_size", "feature_dim"], columns="layout", values="exact"
    )
    expected = wide.idxmin(axis=1).sort_index()
    found = crowded.set_index(["batch_size", "feature_dim"])[
        "predicted_fastest_layout"
    ].sort_index()
    assert (found == expected).mean() > 0.98


def test_more_ranks_are_predicted_for_each_link_and_marked_by_it():
    cells = truth.cells(noise=0.0)
    table = predictions(cells, Model.of(fitted(cells)), FIGURES)
    assert set(table["world_size"]) == set(RANKS)
    assert max(RANKS) == 4096
    assert set(table["link"]) == {"fast", "slow"}
    wide = table[(table["layout"] == "tensor") & (table["scaling"] == "fixed")].pivot(
        index=["direction", "world_size"], columns="link", values="predicted_duration_s"
    )
    assert (wide["slow"] > wide["fast"]).all()
    fixed = table[(table["scaling"] == "fixed") & (table["layout"] == "single")]
    assert (fixed.groupby(["link", "direction"])["predicted_duration_s"].nunique() == 1).all()
    growing = table[table["scaling"] == "per_rank"].groupby("world_size").first()
    for name in GROWING:
        assert growing[name].tolist() == [fixed[name].iloc[0] * ranks // 2 for ranks in RANKS]


def test_without_costs_nothing_is_predicted():
    """As after a sweep of one size, of which no cell can be held out."""
    cells = truth.cells()
    cells = cells[cells["batch_size"] == cells["batch_size"].min()]
    nothing = Model.of(fitted(cells).assign(num_held_out_cells=0))
    assert predictions(cells, nothing, FIGURES).empty
    assert borders(cells, nothing, truth.LINKS)["predicted_fastest_layout"].isna().all()


def test_textbook_times_of_collectives():
    link = LinkFigures(1e-6, 1e9)
    ranks_C, bytes_C = np.array([8.0]), np.array([8e6])
    for collective, expected in (
        ("all_reduce", 6e-6 + 2 * 8e6 * 7 / 8 * 1e-9),
        ("all_gather", 3e-6 + 7 * 8e6 * 1e-9),
        ("reduce_scatter", 3e-6 + 7 / 8 * 8e6 * 1e-9),
        ("all_to_all", 7e-6 + 8e6 * 1e-9),
        ("broadcast", 10e-6 + 2 * 7 / 8 * 8e6 * 1e-9),
    ):
        assert link.times_s(
            [Message(collective, bytes_C, ranks_C, np.ones(1))], 1
        ) == pytest.approx([expected])
    tiny = link.times_s([Message("all_to_all", np.array([8.0]), np.array([1024.0]), np.ones(1))], 1)
    assert tiny == pytest.approx([10e-6], rel=0.01), "few bytes go by way of other ranks"
