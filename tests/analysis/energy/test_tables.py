"""Tables of energy windows: what counts, what does not, and what truths come back."""

import numpy as np
import pandas as pd
import pytest

from moebench.analysis.energy import crossover as verdicts
from moebench.analysis.energy import derived_schemas
from moebench.analysis.energy.boundaries import headline
from moebench.analysis.energy.cells import cells
from moebench.analysis.energy.crossovers import crossovers
from moebench.analysis.energy.doubles import refuse
from moebench.analysis.energy.elsewhere import brought_home
from moebench.analysis.energy.equal_loss import equal_loss
from moebench.analysis.energy.estimate import estimate
from moebench.analysis.energy.ladder import ladder
from moebench.analysis.energy.roofline import with_roofs
from tests.analysis.energy.windows import NLL, REASON, windows, with_meter

GROUPED = {"baseline": "dense_total", "kernel": "grouped"}
NO_JOULES = {"energy_j": None, "power_w": None, "inferences_per_j": None, "energy_method": None}


def pick(table, **wanted):
    for column, value in wanted.items():
        table = table[table[column] == value]
    return table


def one(table, **wanted):
    [line] = pick(table, **wanted).itertuples()
    return line


def spoil(table, where, status, **values):
    """The table with the joules of some windows replaced."""
    spoilt = table.astype({name: object for name in [*NO_JOULES, "energy_reason"]})
    for column, value in {**NO_JOULES, "energy_reason": status, **values}.items():
        spoilt.loc[where, column] = value
    spoilt.loc[where, "energy_status"] = status
    return spoilt.astype({"energy_j": float, "power_w": float, "inferences_per_j": float})


def test_a_planted_crossover_comes_back_in_joules_and_in_time():
    table = crossovers(windows(115e6, noise=0.03))
    for quantity in ("energy", "time"):
        found = one(table, quantity=quantity, **GROUPED)
        assert found.verdict == verdicts.WITHIN
        assert found.crossover_params_low < 115e6 < found.crossover_params_high
        assert found.num_blocks == 5


def test_without_a_meter_there_are_crossovers_in_time_and_none_in_joules():
    table = crossovers(windows(with_joules=False))
    assert set(table["quantity"]) == {"time"}
    assert one(table, **GROUPED).crossover_params == pytest.approx(100e6)


@pytest.mark.slow
def test_time_is_told_once_however_many_boundaries_there_are():
    gross = windows(noise=0.02)
    net = with_meter(gross, power_w=40.0).assign(boundary="gpu_net")
    table = crossovers(pd.concat([gross, net], ignore_index=True))
    assert len(pick(table, quantity="time", **GROUPED)) == 1
    assert set(pick(table, quantity="energy", **GROUPED)["boundary"]) == {"gpu", "gpu_net"}
    alone, beside = (pick(each, quantity="time") for each in (crossovers(gross), table))
    assert alone.reset_index(drop=True).equals(beside.reset_index(drop=True))


@pytest.mark.slow
@pytest.mark.parametrize("status", ["invalid", "unavailable", "estimated"])
def test_only_joules_that_were_measured_enter_a_mean(status):
    table = windows()
    where = table["block"].eq(0)
    wild = {"energy_j": 1e9, "power_w": 1e9, "inferences_per_j": 1e-9, "energy_method": "guess"}
    values = {**wild, "energy_reason": None} if status == "estimated" else {}
    found, clean = cells(spoil(table, where, status, **values)), cells(table[~where])
    for column in ("inferences_per_j", "power_w", "inferences_per_j_low"):
        assert found[column].tolist() == pytest.approx(clean[column].tolist(), nan_ok=True)
    assert (found["num_windows_with_energy"] == 4).all()
    assert (found["num_windows_invalid"] == (status == "invalid")).all()
    energy = pick(crossovers(spoil(table, where, status, **values)), quantity="energy")
    assert (energy["num_blocks"] == 4).all()


def test_invalid_windows_count_for_no_time_either():
    table = windows()
    where = table["block"].eq(0)
    slow = table.assign(duration_s=table["duration_s"].mask(where, 1e6))
    found = cells(spoil(slow, where, "invalid"))
    clean = cells(table[~where])
    assert found["inferences_per_s"].tolist() == pytest.approx(clean["inferences_per_s"].tolist())


def test_a_cell_that_only_has_invalid_windows_keeps_its_line_and_its_reason():
    table = windows()
    where = table["network"].eq("dense_active") & table["size"].eq("xl")
    line = one(cells(spoil(table, where, "invalid")), network="dense_active", size="xl")
    assert np.isnan([line.inferences_per_s, line.inferences_per_j, line.flops_per_s]).all()
    assert (line.energy_status, line.energy_reason) == ("invalid", "invalid")


def test_a_cell_has_the_status_of_its_joules_if_any_window_has_some():
    table = windows()
    some = cells(spoil(table, table["block"].eq(0), "invalid"))
    assert set(some["energy_status"]) == {"measured"}
    none = spoil(windows(with_joules=False), table["block"].eq(1), "invalid")
    assert set(cells(none)["energy_status"]) == {"invalid"}


def test_cells_without_joules_say_why_and_hold_no_zero():
    found = cells(windows(with_joules=False))
    assert (found["energy_reason"] == REASON).all()
    nothing = ["inferences_per_j", "power_w", "energy_delay_j_s"]
    assert found[nothing].isna().all(axis=None)


def test_rates_of_a_cell_are_those_of_its_windows():
    found = one(cells(windows(num_blocks=2, noise=0.1)), size="small", kernel="naive")
    mine = pick(windows(num_blocks=2, noise=0.1), size="small", kernel="naive")
    assert found.inferences_per_s == pytest.approx(np.sqrt(mine["inferences_per_s"].prod()))
    assert found.inferences_per_j == pytest.approx(found.inferences_per_s / 100)
    assert found.power_w == pytest.approx(100)
    assert found.energy_delay_j_s == pytest.approx(100 / found.inferences_per_s**2)


@pytest.mark.slow
def test_processes_are_the_blocks_where_there_are_several():
    table = windows(num_blocks=6, noise=0.05).assign(process=lambda t: t["block"] // 2)
    found = cells(table)
    assert set(found["blocks_are"]) == {"process"}
    assert set(found["num_blocks"]) == {3}
    assert set(crossovers(table)["num_blocks"]) == {3}
    assert set(cells(windows())["blocks_are"]) == {"block"}


@pytest.mark.slow
def test_a_network_that_did_not_learn_is_marked_in_its_cell_and_in_the_crossover():
    table = windows()
    where = table["network"].eq("dense_total") & table["size"].eq("xxl")
    table.loc[where, "is_at_chance"] = True
    assert one(cells(table), network="dense_total", size="xxl").learning == "chance"
    half = table.assign(train_accuracy=0.61, is_at_chance=False)
    assert set(cells(half)["learning"]) == {"partly"}
    assert not one(crossovers(table), quantity="energy", **GROUPED).all_learned
    active = {**GROUPED, "baseline": "dense_active"}
    assert one(crossovers(table), quantity="energy", **active).all_learned


def test_the_ladder_parts_the_mixture_from_its_loops():
    found = ladder(windows(noise=0.02))
    loops = pick(found, quantity="energy", part="implementation", baseline_kernel="naive")
    assert loops["ratio"].tolist() == pytest.approx([3] * 4, rel=0.05)
    assert (loops["better"] == "second").all()
    small = one(found, quantity="energy", part="architecture", baseline="dense_total", size="small")
    assert small.ratio == pytest.approx((2_687_192 / 100e6) ** 0.5, rel=0.05)
    assert small.better == "first"


def test_equal_networks_are_a_tie_on_the_ladder():
    table = windows(kernels=("grouped", "chosen"), noise=0.05, seed=3)
    equal = table[table["kernel"] == "grouped"].assign(kernel="chosen")
    both = pd.concat([table[table["kernel"] != "chosen"], equal], ignore_index=True)
    rungs = pick(ladder(both), part="implementation")
    assert (rungs["better"] == "tie").all()
    assert (rungs["ratio"] == 1).all()


def test_the_dense_network_of_equal_loss_is_found_between_two_sizes():
    found = one(equal_loss(windows()), quantity="time", kernel="grouped", size="large")
    share = 0.05 / (NLL["large"] + 0.05 - (NLL["xl"] + 0.15))
    assert share == pytest.approx(5 / 8)
    expected = np.exp(np.log(63_418_800) * (1 - share) + np.log(92_071_815) * share)
    assert found.dense_params_at_equal_loss == pytest.approx(expected)
    below_s, above_s = 6.34188**0.8, 36.828726**0.8 / 3
    own_s = 6.34188**0.8 * 0.634188**-0.5
    assert found.ratio == pytest.approx(below_s ** (1 - share) * above_s**share / own_s)
    assert found.ratio_low <= found.ratio <= found.ratio_high


@pytest.mark.slow
def test_a_loss_that_no_dense_network_reaches_is_censored():
    table = windows()
    found = equal_loss(table)
    assert one(found, quantity="time", kernel="grouped", size="xxl").censored == (
        derived_schemas.NEVER
    )
    poor = table.assign(
        heldout_nll_nats=table["heldout_nll_nats"] + 9 * (table["network"] == "moe")
    )
    assert set(equal_loss(poor)["censored"]) == {derived_schemas.ALREADY}
    assert equal_loss(poor)["ratio"].isna().all()


def test_networks_that_were_not_trained_have_no_line_at_equal_loss():
    assert equal_loss(windows().assign(heldout_nll_nats=None)).empty


def test_an_estimate_is_what_the_constants_say_and_no_measurement():
    zero, one = {"low": 0.0, "high": 0.0}, {"low": 1.0, "high": 2.0}
    constants = {"static_w": one, "flop_j": zero, "byte_j": one, "source": "a test"}
    table = estimate(windows(with_joules=False), constants)
    expected = 1 / table["inferences_per_s"] + table["bytes"]
    assert table["estimated_energy_low_j"].tolist() == pytest.approx(expected.tolist())
    assert table["estimated_energy_high_j"].tolist() == pytest.approx((2 * expected).tolist())
    assert set(table["energy_status"]) == {"estimated"}


def test_the_roofline_tells_arithmetic_from_memory_from_overhead():
    table = pd.DataFrame(
        {
            "device": "cpu", "dtype": "f32", "flops": [100.0, 1.0, 10.0],
            "bytes": [1.0, 100.0, 10.0], "inferences_per_s": [1e10, 1e8, 1e6],
        }
    )  # fmt: skip
    found = with_roofs(table)
    assert found["regime"].tolist() == ["compute", "memory", "overhead"]
    assert found["roof_share"].tolist() == pytest.approx([1, 1, 1e6 * 10 / 1e10])


def test_readings_of_a_test_double_are_refused():
    table = windows()
    for column in ("device", "energy_method"):
        with pytest.raises(ValueError, match="test double"):
            refuse(table.assign(**{column: "NVIDIA test double"}), "energy.csv")
        with pytest.raises(ValueError, match="test double"):
            brought_home("x.gz", "2026-01-01", table.assign(**{column: "Test Double 0"}))
    refuse(table, "energy.csv")


@pytest.mark.slow
def test_the_boundary_to_show_is_the_first_that_has_joules():
    host = windows().assign(boundary="host")
    gpu = windows(with_joules=False)
    table = cells(pd.concat([gpu, host], ignore_index=True))
    assert set(headline(table)["boundary"]) == {"host"}
    assert set(headline(cells(gpu))["boundary"]) == {"gpu"}
