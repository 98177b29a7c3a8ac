"""Blocks hold each cell once, in an order of their own; unfinished sweeps go on where they were."""

import json

import pytest

from moebench.energy.plan import PLANS, groups, num_windows, plan_of
from moebench.energy.state import State
from moebench.records import Row
from moebench.spec import EnergySpec

TINY = {"num_experts": 4, "width": 8, "num_layers": 2, "top_k": 2}
SPEC = EnergySpec(
    sizes=["tiny", "small"],
    shapes={"tiny": TINY},
    batch_sizes=[1, 16],
    num_processes=2,
    num_blocks=2,
    figures=[],
)


def cells_of(found):
    return [cell for group in found for cell in group.cells]


def test_a_block_holds_each_cell_once():
    for process in range(2):
        for block in (2 * process, 2 * process + 1):
            mine = [group for group in groups(SPEC, process) if group.block == block]
            assert sorted(group.size for group in mine) == ["small", "tiny"]
            cells = cells_of(mine)
            assert len(cells) == len(set(cells)) == 2 * 5 * 2
            assert set(cells) == {each for size in SPEC.sizes for each in SPEC.cells(size)}
    assert num_windows(SPEC) == 4 * 20


def test_blocks_differ_in_their_order_and_repeat_it():
    orders = [cells_of([group]) for group in groups(SPEC, 0) if group.size == "tiny"]
    assert orders[0] != orders[1]
    assert groups(SPEC, 0) == groups(SPEC, 0)
    other = SPEC.model_copy(update={"seed": 1})
    assert groups(other, 0) != groups(SPEC, 0)


def test_publication_asks_for_at_least_five_processes():
    for plan in ("quick", "publication"):
        assert plan_of(EnergySpec(plan=plan, figures=[])).num_processes >= 5
    assert plan_of(SPEC).num_processes == 2


def test_the_explanation_of_processes_names_those_of_the_plans():
    explained = EnergySpec.model_fields["num_processes"].description
    assert all(f"{plan.num_processes} for {name}" in explained for name, plan in PLANS.items())


def row(number):
    return Row(kind="window", spec={}, setting={}, values={"number": number})


def test_rows_are_kept_one_by_one_and_half_a_line_is_forgotten(tmp_path):
    state = State(tmp_path / "state")
    state.begin({"a": 1})
    state.append(row(1))
    state.append(row(2))
    with open(tmp_path / "state" / "rows.jsonl", "a") as file:
        file.write('{"kind": "win')
    assert [each.values["number"] for each in state.rows()] == [1, 2]
    state.append(row(3))
    assert [each.values["number"] for each in State(tmp_path / "state").rows("window")] == [1, 2, 3]
    assert state.rows("epoch") == []


def test_a_sweep_of_another_plan_is_not_gone_on_from(tmp_path, capsys):
    state = State(tmp_path / "state")
    state.begin({"a": 1})
    state.append(row(1))
    State(tmp_path / "state").begin({"a": 1})
    assert "going on after 1 rows" in capsys.readouterr().out
    assert len(state.rows()) == 1
    State(tmp_path / "state").begin({"a": 2})
    assert "starting anew" in capsys.readouterr().out
    assert state.rows() == []
    assert json.loads((tmp_path / "state" / "plan.json").read_text()) == {"a": 2}


@pytest.mark.parametrize("size", ["small", "tiny"])
def test_dense_networks_have_one_kernel_and_the_mixture_all(size):
    kernels = {(cell.network, cell.kernel) for cell in SPEC.cells(size)}
    assert kernels == {
        ("dense_total", "dense"),
        ("dense_active", "dense"),
        *(("moe", kernel) for kernel in ("naive", "chosen", "grouped")),
    }
