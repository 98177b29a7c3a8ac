"""Who is fastest where: planted crossovers are found, and equals are ties."""

import pytest

from moebench.analysis.parallel.regimes import regimes
from tests.analysis.parallel import truth


def test_a_planted_crossover_is_found():
    cells = truth.cells(noise=0.0, layouts=("single", "tensor"))
    is_tensor = cells["layout"] == "tensor"
    small = cells["batch_size"] < 512
    columns = ["median_duration_s", "median_low_s", "median_high_s"]
    cells.loc[:, columns] = 1.0
    cells.loc[is_tensor & small, columns] = 1.5
    cells.loc[is_tensor & ~small, columns] = 0.8
    found = regimes(cells)
    assert not found["is_tie"].any()
    assert set(found.loc[found["batch_size"] < 512, "fastest_layout"]) == {"single"}
    assert set(found.loc[found["batch_size"] >= 512, "fastest_layout"]) == {"tensor"}
    big = found[found["batch_size"] >= 512]
    assert big["runner_up_ratio"].tolist() == pytest.approx([1.25] * len(big))


def test_identical_layouts_tie_and_a_slower_one_does_not():
    cells = truth.cells(noise=0.05)
    columns = ["median_duration_s", "median_low_s", "median_high_s"]
    cells.loc[:, columns] = [1.0, 0.95, 1.05]
    cells.loc[cells["layout"] == "single_loop", columns] = [2.0, 1.9, 2.1]
    found = regimes(cells)
    assert found["is_tie"].all()
    assert (found["fastest_layout"] == "expert_replicated").all(), "the first by name"
    assert (found["tied_with"] == "single tensor").all()


def test_without_intervals_nothing_is_told_apart():
    cells = truth.cells()
    cells[["median_low_s", "median_high_s"]] = float("nan")
    assert regimes(cells)["is_tie"].all()


def test_the_fastest_layout_of_the_model_stands_beside_the_measured_one():
    cells = truth.cells(noise=0.0, layouts=("single", "tensor"))
    cells["predicted_duration_s"] = cells["layout"].map({"single": 2.0, "tensor": 1.0})
    assert (regimes(cells)["predicted_fastest_layout"] == "tensor").all()
