"""RAPL, power sensors, Slurm and AMD, each on a machine made for the test."""

import random
from pathlib import Path

import pytest

from moebench.energy.protocol import Protocol
from moebench.energy.window import NUM_UPDATES, Rig
from moebench.meters.amdsmi import Amdsmi
from moebench.meters.hwmon import Hwmon
from moebench.meters.instruments import choose
from moebench.meters.proof import probe
from moebench.meters.rapl import Rapl
from moebench.meters.slurm import Slurm
from tests.meters.double import VirtualMachine
from tests.meters.stands import (
    PLAN,
    AmdLibrary,
    RaplTree,
    Scontrol,
    SensorTree,
    put_in_place,
)


def measured(machine, meter, plan=PLAN, devices=None):
    """Probe, idle, work; returns the window, its account and its true energy."""
    rig = Rig(
        instruments=choose([meter], [probe(meter, devices)]),
        clock=machine.clock,
        order=random.Random(0),
    )
    protocol = Protocol(rig, plan)
    protocol.idle("context")
    window = protocol.window(machine.work)
    [times_s] = [[each.time_s for each in edge.values()][:1] for edge in [window.start]]
    ends_s = [each.time_s for each in window.end.values()][:1]
    true_j = machine.true_between_j(times_s[0], ends_s[0]) if times_s else None
    return window, protocol.account(window), true_j


def rapl(machine, root):
    """The meter on a made-up tree; it need not look at a still counter for long."""
    meter = Rapl(machine.clock, root=root)
    meter.patience_s = 0.3
    return meter


def hwmon(machine, root):
    """The meter on a made-up tree; it need not look at constant power for long."""
    meter = Hwmon(machine.clock, root=root)
    meter.patience_s = 0.3
    return meter


def test_rapl_counts_package_and_dram_once_each_in_joules(tmp_path):
    machine = RaplTree(tmp_path, busy_w=(200.0,), step_s=0.02)
    window, account, true_j = measured(machine, rapl(machine, str(tmp_path)))
    assert {domain.id for domain in window.domains} == {"rapl:package-0", "rapl:package-0-dram"}
    assert account["host"].status == "measured"
    assert account["host"].energy_j == pytest.approx(1.1 * true_j, rel=0.005)
    assert true_j == pytest.approx(200 * window.duration_s, rel=0.005)
    idle_j = 1.1 * 100 * window.duration_s
    assert account["host"].energy_j - account["host_net"].energy_j == pytest.approx(idle_j, 0.01)
    assert "no gpu" in account["gpu"].reason or "measures a gpu" in account["gpu"].reason


def test_a_rapl_counter_that_wraps_within_a_window_loses_nothing(tmp_path):
    """The range holds 13.4 s of full load, so that one of the two windows must wrap."""
    machine = RaplTree(tmp_path, range_uj=5_500_000_000, start_uj=2_600_000_000, step_s=0.02)
    window, account, true_j = measured(machine, rapl(machine, str(tmp_path)))
    start, end = window.start["rapl:package-0"], window.end["rapl:package-0"]
    assert end.energy_j < start.energy_j, "the counter was to wrap inside the window"
    assert account["host"].energy_j == pytest.approx(1.1 * true_j, rel=0.005)


def test_a_rapl_window_in_which_the_counter_may_wrap_twice_is_invalid(tmp_path):
    machine = RaplTree(tmp_path, range_uj=3_000_000_000, step_s=0.02)
    _, account, _ = measured(machine, rapl(machine, str(tmp_path)))
    assert account["host"].status == "invalid"
    assert "may have wrapped twice in a window over 3.75 s" in account["host"].reason


def test_a_dram_zone_that_stands_still_is_left_out_with_the_reason(tmp_path):
    machine = RaplTree(tmp_path, step_s=0.02)
    machine.shares["intel-rapl:0:1"] = 0.0
    found = probe(rapl(machine, str(tmp_path)))
    assert [domain.id for domain in found.domains] == ["rapl:package-0"]
    assert found.reason == "DRAM of package-0: the energy counter did not move in 0.3 s"


def test_a_phantom_package_counter_is_refused(tmp_path):
    machine = RaplTree(tmp_path)
    machine.shares["intel-rapl:0"] = 0.0
    found = probe(rapl(machine, str(tmp_path)))
    assert not found.domains
    assert found.reason == "processor package-0: the energy counter did not move in 0.3 s"


def test_a_counter_that_creeps_is_refused(tmp_path):
    machine = RaplTree(tmp_path)
    machine.shares["intel-rapl:0"] = 1e-4
    assert "moves by 0.01 W, less than any device" in (probe(rapl(machine, str(tmp_path))).reason)


def test_rapl_files_that_only_root_may_read_are_named_with_the_remedy(tmp_path, monkeypatch):
    machine = RaplTree(tmp_path)
    read_text = Path.read_text

    def guarded(path, *arguments, **options):
        if path.name == "energy_uj":
            raise PermissionError(13, "Permission denied")
        return read_text(path, *arguments, **options)

    monkeypatch.setattr(Path, "read_text", guarded)
    found = probe(rapl(machine, str(tmp_path)))
    assert "may be read by root alone" in found.reason
    assert "ask for: chmod a+r" in found.reason


def test_a_tree_without_a_package_and_no_tree_at_all_have_their_reasons(tmp_path):
    machine = RaplTree(tmp_path / "tree")
    assert "is absent: this kernel shows no RAPL" in (
        probe(rapl(machine, str(tmp_path / "none"))).reason
    )
    (tmp_path / "empty").mkdir()
    assert "load the kernel's module" in (probe(rapl(machine, str(tmp_path / "empty"))).reason)


def test_a_node_power_meter_is_integrated_and_says_so(tmp_path):
    machine = SensorTree(tmp_path, busy_w=(400.0, 400.0, 250.0), step_s=0.02)
    window, account, true_j = measured(machine, hwmon(machine, str(tmp_path)))
    energy = account["node"]
    assert energy.status == "integrated"
    assert energy.energy_j == pytest.approx(true_j, rel=0.1)
    assert abs(energy.energy_j - true_j) <= 3 * energy.sigma_j
    assert energy.sigma_j == pytest.approx(0.025 * true_j, rel=0.2)  # sixty samples, 71 W apart
    assert "integrated by the trapezoidal rule" in energy.method
    [samples] = window.samples.values()
    gaps_s = [b.time_s - a.time_s for a, b in zip(samples, samples[1:], strict=False)]
    assert max(gaps_s) <= 0.2
    assert len({round(gap_s, 3) for gap_s in gaps_s}) > 3, "samples at regular moments alias"


def test_constant_power_integrates_exactly(tmp_path):
    machine = SensorTree(tmp_path, busy_w=(321.0,), step_s=0.02)
    window, account, _ = measured(machine, hwmon(machine, str(tmp_path)))
    assert account["node"].energy_j == pytest.approx(321 * window.duration_s, rel=0.005)


def test_the_module_of_a_grace_holds_its_parts_and_counts_them_once(tmp_path):
    labels = ("Module Power Socket 0", "Grace Power Socket 0", "CPU Power Socket 0")
    machine = SensorTree(tmp_path, labels, step_s=0.02)
    window, account, _ = measured(machine, hwmon(machine, str(tmp_path)))
    assert [domain.kind for domain in window.domains] == ["cpu", "module"]
    assert account["gpu_host"].energy_j == pytest.approx(350 * window.duration_s, rel=0.005)
    assert account["host"].energy_j == pytest.approx(350 * window.duration_s, rel=0.005)
    assert account["gpu"].status == "unavailable"


def test_the_input_rail_of_a_jetson_is_read_in_millivolts_and_milliamperes(tmp_path):
    machine = SensorTree(tmp_path / "nothing", ())
    rail = tmp_path / "hwmon0"
    rail.mkdir()
    for name, text in {
        "name": "ina3221",
        "in1_label": "VDD_IN",
        "in1_input": "5000",
        "curr1_input": "2400",
        "in2_label": "VDD_SOC",
    }.items():
        (rail / name).write_text(text)
    meter = hwmon(machine, str(tmp_path))
    assert [domain.kind for domain in probe(meter).domains] == ["module"]
    assert meter.read()["hwmon:hwmon0"].power_w == pytest.approx(12.0)


def test_a_sensor_that_reads_no_power_is_refused(tmp_path):
    machine = SensorTree(tmp_path, idle_w=0.0)
    reason = probe(hwmon(machine, str(tmp_path))).reason
    assert reason == "power meter of the node: the power reads 0.0 W"


def in_a_job(monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("SLURMD_NODENAME", "n1")


def test_slurm_counts_the_node_of_an_exclusive_job(tmp_path, monkeypatch):
    in_a_job(monkeypatch)
    machine = Scontrol(tmp_path, step_s=0.5)
    found = probe(meter := Slurm(machine.clock, command=str(machine.command)))
    assert found.domains[0].update_s == pytest.approx(1.0, abs=0.3)
    first, start_s = meter.read()["slurm:n1"].energy_j, machine.now_s
    for _ in range(40):
        machine.work()
    moved_j = meter.read()["slurm:n1"].energy_j - first
    assert moved_j == pytest.approx(machine.true_between_j(start_s, machine.now_s), rel=0.06)


def test_a_counter_too_coarse_for_the_window_is_neither_waited_for_nor_believed(
    tmp_path, monkeypatch
):
    in_a_job(monkeypatch)
    machine = Scontrol(tmp_path, step_s=0.5)
    window, account, _ = measured(machine, Slurm(machine.clock, command=str(machine.command)))
    assert window.aligned_to is None
    assert account["node"].status == "invalid"
    assert f"updates of the counter, under {NUM_UPDATES}" in account["node"].reason


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"sharing": "OK"}, "job 7 shares its node, whose energy is then not ours alone"),
        ({"counts": False}, "Slurm counts no energy on n1; the cluster must set"),
    ],
)
def test_a_slurm_job_that_cannot_measure_says_why(tmp_path, monkeypatch, options, reason):
    in_a_job(monkeypatch)
    machine = Scontrol(tmp_path, **options)
    assert reason in probe(Slurm(machine.clock, command=str(machine.command))).reason


def test_slurm_without_its_commands_or_without_json_says_why(tmp_path, monkeypatch):
    in_a_job(monkeypatch)
    machine = Scontrol(tmp_path)
    assert "No such file" in probe(Slurm(machine.clock, command="/no/scontrol")).reason
    machine.command.write_text(
        "#!/bin/sh\n[ $2 = job ] && echo OverSubscribe=NO || echo NodeName\n"
    )
    assert "does not speak JSON" in (
        probe(Slurm(machine.clock, command=str(machine.command))).reason
    )
    machine.command.write_text("#!/bin/sh\necho no controller >&2; exit 1\n")
    assert "failed: no controller" in (
        probe(Slurm(machine.clock, command=str(machine.command))).reason
    )


def test_an_amd_accumulator_is_turned_into_joules(monkeypatch):
    machine = VirtualMachine(step_s=0.005)
    put_in_place(monkeypatch, library := AmdLibrary(machine))
    meter = Amdsmi(machine.clock)
    window, account, true_j = measured(machine, meter)
    assert account["gpu"].status == "measured"
    assert account["gpu"].energy_j == pytest.approx(true_j, rel=0.005)
    assert window.domains[0].limit_w == 750
    meter.close()
    assert library.num_shut_down == 1


def test_an_amd_gpu_that_is_not_there_or_does_not_count_says_why(monkeypatch):
    machine = VirtualMachine()
    put_in_place(monkeypatch, AmdLibrary(machine))
    assert "no AMD GPU GPU-1; there are: 9eff" in probe(Amdsmi(machine.clock), ["GPU-1"]).reason
    put_in_place(monkeypatch, AmdLibrary(machine, is_supported=False))
    assert "the AMD driver says: AMDSMI_STATUS_NOT_SUPPORTED" in (
        probe(Amdsmi(machine.clock)).reason
    )
