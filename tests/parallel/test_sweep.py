"""A sweep by one rank, which needs no other and no library that could be missing."""

import gc

import pytest
import torch

from moebench import machine
from moebench.analysis.parallel.tabulate import tabulate_cells
from moebench.analysis.parallel.words import PARTS
from moebench.parallel.communicators.base import Alone
from moebench.parallel.layouts.single_loop import SingleLoop
from moebench.parallel.memory import predicted_memory
from moebench.parallel.oracle import LayoutDiffers
from moebench.parallel.sweep import measure_sweep
from moebench.spec import LayoutCellSpec, ProtocolSpec, SweepJob

PROTOCOL = ProtocolSpec(min_calls=6, min_s=9.0, num_blocks=6, warmup_calls=2, warmup_max_s=0.01)


@pytest.fixture(autouse=True)
def own_lock(monkeypatch, tmp_path):
    """Do not wait for measurements of this machine: these times are of no interest."""
    monkeypatch.setattr(machine, "LOCK", tmp_path / "lock")


def cell(layout="single", direction="forward", **sizes):
    shape = {"num_experts": 2, "batch_size": 4, "top_k": 1, "feature_dim": 8}
    shape |= {"hidden_dim": 8, "output_dim": 4} | sizes
    return LayoutCellSpec(
        sweeps=["tried"],
        layout=layout,
        direction=direction,
        communicator="mpi",
        world_size=1,
        **shape,
    )


def measured(*cells):
    job = SweepJob(communicator="mpi", threads=1, cells=list(cells), protocol=PROTOCOL)
    return measure_sweep(job, Alone(), code="0")


def test_a_sweep_leaves_calls_of_every_block_and_memory_of_every_cell():
    cells = [cell(layout, way) for layout in ("single", "single_loop") for way in DIRECTIONS]
    rows = measured(*cells)
    assert [row.kind for row in rows].count("call") == 4 * 6
    assert [row.kind for row in rows].count("memory") == 4
    table = tabulate_cells(rows)
    assert len(table) == 4
    assert (table["num_calls"] == 6).all()
    assert not table["oversubscribed"].any()
    assert (table["comm_calls"] == 0).all()


DIRECTIONS = ("forward", "forward_backward")


def test_a_call_with_its_backward_pass_has_a_part_of_its_own_for_it():
    rows = [row for row in measured(cell(), cell(direction=DIRECTIONS[1])) if row.kind == "call"]
    for row in rows:
        parts = row.values["parts"]
        assert set(parts) == set(PARTS)
        assert (parts["backward_s"] > 0) == (row.spec["direction"] == "forward_backward")
        assert parts["routing_s"] > 0
        assert parts["experts_s"] > 0


def test_the_row_says_which_cell_under_which_setting():
    for row in measured(cell()):
        assert row.spec["experiment"] == "parallel"
        assert row.spec["backend"] == "none"
        assert row.setting["world_size"] == 1
        assert row.setting["dtype"] == "float32"


def test_a_layout_that_differs_is_an_error_and_leaves_no_row(monkeypatch):
    right = SingleLoop.forward
    monkeypatch.setattr(SingleLoop, "forward", lambda self, x_BF: 1.0001 * right(self, x_BF))
    with pytest.raises(LayoutDiffers, match="layout 'single_loop'"):
        measured(cell("single"), cell("single_loop"))


def test_a_wrong_gradient_is_an_error_even_where_only_the_forward_pass_is_timed(monkeypatch):
    right = SingleLoop.forward

    def forward(self, x_BF):
        y_BO = right(self, x_BF)
        return y_BO.detach() + 0.5 * (y_BO - y_BO.detach())

    monkeypatch.setattr(SingleLoop, "forward", forward)
    with pytest.raises(LayoutDiffers):
        measured(cell("single_loop"))


def test_garbage_is_collected_again_afterwards():
    measured(cell())
    assert gc.isenabled()


@pytest.mark.slow
def test_peak_memory_grows_by_what_a_layer_takes():
    """Weights of 64 MiB, and a copy while they are stacked: neither the process nor nothing.

    What else the process does with its memory meanwhile, some 5 MiB, is little beside them.
    """
    large = cell(feature_dim=4096, hidden_dim=2048, batch_size=1)
    [found] = [row.values for row in measured(large) if row.kind == "memory"]
    weights_bytes = 2 * 2048 * 4096 * 4
    assert weights_bytes < found["peak_memory_bytes"] < 2.5 * weights_bytes
    assert found["predicted_weights_bytes"] == pytest.approx(weights_bytes, rel=0.01)
    assert found["peak_resident_bytes"] > found["peak_memory_bytes"]


@pytest.mark.slow
def test_a_peak_is_forgotten_before_the_next_cell():
    large = cell(feature_dim=2048, hidden_dim=1024, batch_size=1)
    rows = [row for row in measured(large, cell()) if row.kind == "memory"]
    first, second = (row.values["peak_memory_bytes"] for row in rows)
    assert second < first / 4


def test_a_backward_pass_is_predicted_to_hold_a_gradient_of_every_weight():
    forward, backward = (predicted_memory(cell(direction=way)) for way in DIRECTIONS)
    assert backward["predicted_weights_bytes"] == 2 * forward["predicted_weights_bytes"]


def test_resident_memory_is_told_before_and_at_its_peak():
    assert machine.restart_peak_resident()
    before_bytes, _ = machine.resident_bytes()
    block = torch.ones(8_000_000)
    del block
    now_bytes, peak_bytes = machine.resident_bytes()
    assert peak_bytes - before_bytes >= 30_000_000
    assert now_bytes <= peak_bytes
