"""A small sweep from end to end: rows, their arithmetic, tables, and what a kill leaves."""

import json
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import psutil
import pytest

from moebench.analysis.energy.tabulate import is_at_chance, tabulate_training, tabulate_windows
from moebench.energy import run
from moebench.energy.state import State
from moebench.machine import MachineError
from moebench.records import Row
from moebench.spec import EnergySpec
from moebench.tables import TableError

SPEC = EnergySpec(
    sizes=["tiny", "bare"],
    shapes={
        "tiny": {"num_experts": 4, "width": 8, "num_layers": 2, "top_k": 2},
        "bare": {"num_experts": 2, "width": 4, "num_layers": 1, "top_k": 1},
    },
    kernels=["chosen", "grouped"],
    batch_sizes=[1, 8],
    dtypes=["f32", "bf16"],
    device="cpu",
    num_processes=2,
    num_blocks=1,
    meters={"null": {"reason": "this is a test"}},
    learning={"sizes": ["tiny"], "num_samples": 200, "num_heldout": 100, "num_epochs": 2},
    figures=[],
)
NUM_CELLS = 2 * 4 * 2 * 2


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """Rows of a whole sweep."""
    return run.measure(SPEC, tmp_path_factory.mktemp("energy") / "state", code="test")


def of(kind, rows):
    return [row for row in rows if row.kind == kind]


@pytest.mark.slow
def test_every_cell_is_measured_once_in_every_block(rows):
    windows = of("window", rows)
    keys = {
        (*(row.spec[key] for key in type(next(iter(SPEC.cells("tiny")))).model_fields), block)
        for row in windows
        for block in [row.values["block"]]
    }
    assert len(windows) == len(keys) == 2 * NUM_CELLS
    assert {row.values["process"] for row in windows} == {0, 1}
    assert len(of("epoch", rows)) == 3 * 2
    assert all(row.spec["experiment"] == "energy" for row in rows)


@pytest.mark.slow
def test_rate_times_time_is_the_inferences_of_every_window(rows):
    for row in of("window", rows):
        values = row.values
        assert values["inferences_per_s"] * values["duration_s"] == pytest.approx(
            values["inferences"]
        )
        assert values["inferences"] == values["num_batches"] * row.spec["batch_size"] > 0
        assert values["duration_s"] >= 0.1
        assert json.dumps(values)


@pytest.mark.slow
def test_without_a_meter_joules_are_null_with_the_reason_and_never_zero(rows):
    table = tabulate_windows(rows)
    assert len(table) == 2 * NUM_CELLS * 3
    assert set(table["boundary"]) == {"host", "host_net", "node"}
    assert set(table["energy_status"]) == {"unavailable"}
    joules = table[["energy_j", "energy_sigma_j", "power_w", "inferences_per_j", "energy_method"]]
    assert joules.isna().all(axis=None)
    assert table["energy_reason"].str.contains("this is a test").all()


@pytest.mark.slow
def test_only_trained_networks_have_accuracies_each_in_its_number_type(rows):
    table = tabulate_windows(rows)
    learnt = ["train_accuracy", "heldout_accuracy", "heldout_nll_nats", "is_at_chance"]
    assert table.loc[table["size"] == "bare", learnt].isna().all(axis=None)
    tiny = table[table["size"] == "tiny"]
    assert tiny[learnt].notna().all(axis=None)
    losses = tiny.groupby(["network", "dtype"])["heldout_nll_nats"].nunique()
    assert (losses == 1).all()
    by_type = tiny.groupby("network")["heldout_nll_nats"].nunique()
    assert (by_type == 2).all()
    curves = tabulate_training(rows)
    assert len(curves) == 6
    last = curves[curves["epoch"] == 2].set_index("network")
    f32 = tiny[tiny["dtype"] == "f32"].groupby("network")["heldout_nll_nats"].first()
    assert last["heldout_nll_nats"].to_dict() == pytest.approx(f32.to_dict())


@pytest.mark.slow
def test_the_load_of_the_experts_is_in_the_rows_and_in_the_table_of_training(rows):
    curves = tabulate_training(rows).set_index(["network", "epoch"])
    shape = SPEC.shape("tiny")
    for row in of("epoch", rows):
        line = curves.loc[row.spec["network"], row.values["epoch"]]
        load_E = row.values["heldout_load_E"]
        if row.spec["network"] != "moe":
            assert load_E is None
            assert pd.isna(line["heldout_load_cv"])
            continue
        assert len(load_E) == shape.num_experts
        assert sum(load_E) == SPEC.learning.num_heldout * shape.top_k
        assert line["heldout_load_cv"] == pytest.approx(np.std(load_E) / np.mean(load_E))
        assert line["num_dead_experts"] == load_E.count(0)


@pytest.mark.slow
def test_a_sweep_that_ran_out_of_time_goes_on_where_it_was(tmp_path):
    folder = tmp_path / "state"
    short = SPEC.model_copy(update={"stop_after_s": 1e-6, "num_processes": 1})
    with pytest.raises(MachineError, match=r"0 of 32 windows .*stop_after_s=1e-06 .* run again"):
        run.measure(short, folder, code="test")
    assert State(folder).rows() == []
    rows = run.measure(short.model_copy(update={"stop_after_s": None}), folder, code="test")
    assert len(of("window", rows)) == NUM_CELLS
    assert not folder.exists()


@pytest.mark.slow
def test_a_sweep_that_is_asked_to_end_keeps_its_windows_and_its_process_ends(tmp_path):
    folder = tmp_path / "state"
    spec = SPEC.model_copy(update={"num_processes": 1, "num_blocks": 3})
    program = (
        "import sys; from pathlib import Path; from moebench.energy import run\n"
        "from moebench.spec import EnergySpec\n"
        "run.measure(EnergySpec.model_validate_json(sys.argv[1]), Path(sys.argv[2]), 'test')"
    )
    asked = [sys.executable, "-c", program, spec.model_dump_json(), str(folder)]
    with subprocess.Popen(asked, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        while not of("window", State(folder).rows()):
            assert process.poll() is None
            time.sleep(0.05)
        (child,) = psutil.Process(process.pid).children()
        process.terminate()
        said = process.stdout.read().decode()
    assert "asked to end (SIGTERM) after" in said.splitlines()[-1]
    assert not child.is_running()
    kept = of("window", State(folder).rows())
    assert 0 < len(kept) < 3 * NUM_CELLS
    rows = of("window", run.measure(spec, folder, code="test"))
    assert len(rows) == 3 * NUM_CELLS
    assert rows[: len(kept)] == kept


@pytest.mark.slow
def test_what_a_process_complains_of_is_told_in_one_line(tmp_path):
    impossible = SPEC.model_copy(update={"require": "measured"})
    state = State(tmp_path / "state")
    state.begin({"spec": impossible.model_dump(mode="json"), "code": "test"})
    with pytest.raises(MachineError, match="energy meter for the cpu.*null: this is a test"):
        run._run(tmp_path / "state", 0, None)


def test_chance_is_what_naming_the_commonest_class_gets_right():
    spec = {"learning": {"num_heldout": 900}}
    share = {"heldout_majority_share": 0.1}  # standard error 0.01
    assert is_at_chance(share | {"heldout_accuracy": 0.129}, spec)
    assert not is_at_chance(share | {"heldout_accuracy": 0.131}, spec)


def synthetic(**energy):
    """One window with the given account within one boundary."""
    told = {"energy_j": None, "sigma_j": None, "method": "", "reason": "", "status": "unavailable"}
    shape = {"num_experts": 4, "width": 8, "num_layers": 2, "top_k": 2}
    spec = {
        **{"size": "tiny", "network": "moe", "kernel": "grouped", "batch_size": 4, "dtype": "f32"},
        **{"plan": "quick", "shape": shape, "num_params": 9, "num_active_params": 5, "width": 8},
    }
    values = {
        **{"process": 0, "block": 0, "place": 0, "num_batches": 5, "inferences": 20},
        **{"duration_s": 10.0, "inferences_per_s": 2.0, "flops": 8.0, "bytes": 3.0},
        **{"touched_experts": 3.0, "is_emulated": False},
        **{"heldout_accuracy": None, "heldout_nll_nats": None, "energy": {"gpu": told | energy}},
    }
    setting = {"device": "a device", "threads": 1, "num_cores": 2}
    return Row(kind="window", spec=spec, setting=setting, values=values)


MEASURED = {"status": "measured", "energy_j": 400.0, "sigma_j": 1.0, "method": "nvml:GPU-1"}


def test_joules_become_power_and_inferences_per_joule():
    [line] = tabulate_windows([synthetic(**MEASURED)]).to_dict("records")
    assert (line["power_w"], line["inferences_per_j"]) == (40.0, 0.05)
    assert (line["boundary"], line["energy_status"]) == ("gpu", "measured")


@pytest.mark.parametrize(
    "energy",
    [
        {"status": "unavailable", "reason": "no meter", "energy_j": 0.0},
        {"status": "invalid", "energy_j": None},
        MEASURED | {"energy_j": 0.0},
        MEASURED | {"energy_j": None},
        MEASURED | {"energy_j": -5.0},
        MEASURED | {"reason": "but also this"},
    ],
)
def test_joules_that_contradict_their_status_are_refused(energy):
    with pytest.raises(TableError):
        tabulate_windows([synthetic(**energy)])


def test_rows_of_a_test_double_are_refused():
    doubled = MEASURED | {"method": "nvml:GPU-1 (NVIDIA test double)"}
    with pytest.raises(ValueError, match="test double"):
        tabulate_windows([synthetic(**doubled)])


def test_a_rate_that_does_not_fit_its_time_is_refused():
    row = synthetic(**MEASURED)
    row.values["inferences_per_s"] = 200.0
    with pytest.raises(TableError, match="inferences_per_s"):
        tabulate_windows([row])
