"""The comparison of kernels: what is compared, what is asked for, and how it is told."""

import pytest
import torch

from moebench.bench.energy import (
    Arms,
    Cell,
    fitting,
    measure_energy,
    ratios,
    table_head,
    table_line,
    targets_met,
)
from moebench.machine import MachineError, num_cores
from moebench.records import Row


def rows_of(**time_s):
    """Six equal rounds of the given arms."""
    return [
        Row(kind="kernel", spec={}, setting={}, values={"round": turn, "arm": arm, "time_s": s})
        for turn in range(6)
        for arm, s in time_s.items()
    ]


def test_targets_hold_at_the_published_batch_and_are_higher_for_the_small_size():
    small, large = (Cell(size=size, batch_size=128, threads=1) for size in ("small", "xl"))
    assert [small.target(peer) for peer in ("chosen", "naive", "separate")] == [1.2, None, 0.8]
    assert [large.target(peer) for peer in ("chosen", "naive", "separate")] == [1.0, None, 0.8]
    assert Cell(size="small", batch_size=1, threads=1).target("chosen") is None


def test_a_line_marks_each_target():
    rows = rows_of(grouped=1.0, chosen=1.1, naive=2.0, separate=0.9)
    cell = Cell(size="small", batch_size=128, threads=2)
    line = table_line(cell, rows)
    assert "1.10 [1.10, 1.10] NOT MET (1.20)" in line
    assert "0.90 [0.90, 0.90] met (0.80)" in line
    assert len(line) == len(table_head())
    assert targets_met([(cell, rows)]) == (2, 1)
    assert ratios(rows)["naive"].median == pytest.approx(2.0)


def test_sizes_that_do_not_fit_in_memory_are_left_out():
    assert fitting(["small", "xl", "xxl"], 4 * 10**9) == (["small", "xl"], ["xxl"])


def test_all_arms_run_the_same_experts_on_the_same_rows():
    arms = Arms("small", 16)
    runs = arms.runs()
    with torch.inference_mode():
        ours = runs["grouped"](1)
        for name in ("chosen", "naive"):
            torch.testing.assert_close(runs[name](1), ours)
        answers = runs["separate"](1)
    weight_BK, expert_BK = arms.network.choices(arms.batches[1])
    chosen = expert_BK.unique().tolist()
    mixed = torch.zeros_like(ours)
    for e, answer_NC in zip(chosen, answers, strict=True):
        row_N, choice_N = (expert_BK == e).nonzero(as_tuple=True)
        mixed[row_N] += weight_BK[row_N, choice_N, None] * answer_NC
    torch.testing.assert_close(mixed, ours)


def test_more_threads_than_cores_are_refused():
    with pytest.raises(MachineError, match="--threads: .* threads are more than"):
        next(measure_energy(["small"], 16, [num_cores() + 1], 6))


@pytest.mark.slow
def test_a_tiny_run_measures_every_arm_in_every_round(monkeypatch):
    monkeypatch.setattr("moebench.bench.turns._QUIET_SHARE", 100.0)
    [(cell, rows)] = measure_energy(["small"], 4, [1], 6)
    assert len(rows) == 6 * 4
    assert all(row.values["time_s"] > 0 for row in rows)
    assert table_line(cell, rows)
