import dataclasses
import json

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from moebench.bench.layer import Cell, measure_layer, ratios, table_head, table_line, targets_met
from moebench.bench.peers import Peers, Size
from moebench.machine import MachineError, num_cores
from moebench.records import Row

SMALL = Size(num_tokens=24, dim=24, num_experts=4)


def rows_of(**time_s):
    """Six equal rounds of the given arms."""
    return [
        Row(kind="layer", spec={}, setting={}, values={"round": turn, "arm": arm, "time_s": s})
        for turn in range(6)
        for arm, s in time_s.items()
    ]


def cell_of(size, threads=2, passes="forward"):
    return Cell(size=size, threads=threads, passes=passes)


def test_targets_are_those_of_the_size_and_the_number_of_threads():
    small = Size(num_tokens=512, dim=256, num_experts=8)
    large, many = (
        dataclasses.replace(small, num_tokens=4096),
        dataclasses.replace(small, num_experts=32),
    )
    assert [cell_of(each).target("dense") for each in (small, large, many)] == [0.65, 0.80, None]
    assert cell_of(large, threads=1).target("dense") is None
    assert cell_of(large, passes="both").target("dense") == 0.80
    assert cell_of(small).target("separate") == 0.80
    assert cell_of(small, passes="both").target("separate") is None
    assert [cell_of(small, passes=each).target("olmoe_eager") for each in ("forward", "both")] == [
        1.2,
        1.5,
    ]


def test_a_table_marks_each_target():
    size = Size(num_tokens=4096, dim=256, num_experts=8)
    rows = rows_of(
        moe=1.0, experts=0.8, dense=0.9, separate=0.7, olmoe_grouped=0.88, olmoe_eager=1.04
    )
    line = table_line(cell_of(size), rows)
    assert "0.90 [0.90, 0.90] met (0.80)" in line
    assert "0.70 [0.70, 0.70] NOT MET (0.80)" in line
    assert len(line) == len(table_head())
    assert targets_met([(cell_of(size), rows)]) == (4, 3)
    assert ratios(rows)["olmoe_eager"].median == pytest.approx(1.3)


@pytest.mark.slow  # imports transformers
def test_peers_have_the_active_flops_of_the_layer():
    counted = {}
    for name, run in Peers(Size(num_tokens=64, dim=48, num_experts=4))._runs().items():
        if name != "olmoe_grouped":  # the counter does not know grouped_mm
            with FlopCounterMode(display=False) as counter:
                run()
            counted[name] = counter.get_total_flops()
    active = 64 * 2 * (2 * 2 * 48 * 192)
    for name in ("dense", "separate", "experts", "olmoe_eager"):
        assert counted[name] == active
    assert counted["moe"] == active + 64 * 2 * 48 * 4  # and the gate


@pytest.mark.slow  # imports transformers
def test_peers_see_the_routing_and_the_rows_of_the_layer():
    peers = Peers(SMALL)
    with torch.no_grad():
        for e, (w_in, w_out) in enumerate(
            zip(peers.separate.w_in, peers.separate.w_out, strict=True)
        ):
            w_in.copy_(peers.moe.experts.w_in[e].T)
            w_out.copy_(peers.moe.experts.w_out[e])
    answers_ND = torch.cat(peers._runs()["separate"]())
    by_expert_N = peers.index_TK.flatten().argsort(stable=True)
    weighted_ND = answers_ND * peers.weight_TK.flatten()[by_expert_N, None]
    token_N = by_expert_N // SMALL.top_k
    y_TD = torch.zeros_like(peers.grad_TD).index_add(0, token_N, weighted_ND)
    torch.testing.assert_close(peers._runs()["moe"](), y_TD)
    torch.testing.assert_close(peers._runs()["experts"](), y_TD)


@pytest.mark.slow  # imports transformers
def test_both_of_transformers_ways_give_one_answer():
    peers = Peers(SMALL)
    for experts in peers.olmoe.values():
        experts.load_state_dict(peers.olmoe["eager"].state_dict())
    runs = peers._runs()
    torch.testing.assert_close(runs["olmoe_grouped"](), runs["olmoe_eager"]())


@pytest.mark.slow  # imports transformers
def test_grouped_really_runs_the_grouped_product():
    with torch.profiler.profile() as profile:
        Peers(SMALL).forward()["olmoe_grouped"].run()
    assert any("grouped_mm" in event.key for event in profile.key_averages())


@pytest.mark.slow  # imports transformers
def test_a_backward_pass_reaches_everything_and_is_tidied_up():
    peers = Peers(SMALL)
    for name, arm in peers.forward_backward().items():
        arm.run()
        assert (peers.x_BSD.grad is None) == (name == "separate")
        arm.tidy()
        modules = [peers.moe, peers.dense, peers.separate, *peers.olmoe.values()]
        assert all(p.grad is None for module in modules for p in module.parameters())
        assert peers.x_BSD.grad is None


def test_more_threads_than_cores_are_refused():
    with pytest.raises(MachineError, match="--threads: .* threads are more than"):
        next(measure_layer([SMALL], [num_cores() + 1], 6))


@pytest.mark.slow
def test_a_tiny_run_measures_every_arm_in_every_round(monkeypatch):
    monkeypatch.setattr("moebench.bench.turns._QUIET_SHARE", 100.0)
    cells = list(measure_layer([SMALL], [1], 6))
    assert [cell.passes for cell, _ in cells] == ["forward", "both"]
    for cell, rows in cells:
        assert len(rows) == 6 * 6
        assert all(row.values["time_s"] > 0 for row in rows)
        assert json.dumps(rows[0].spec)
        assert table_line(cell, rows)
