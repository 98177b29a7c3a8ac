"""Windows, checks and boundaries on imaginary meters; time is virtual."""

import json
import os
import random
from dataclasses import replace

import pytest

from moebench.energy.acceptance import Limits
from moebench.energy.boundaries import BOUNDARIES, net, total
from moebench.energy.protocol import PLANS, Protocol
from moebench.energy.window import Rig, measure
from moebench.meters.base import Energy
from moebench.meters.instruments import Instruments, choose
from moebench.meters.proof import probe
from tests.meters.double import BUSY_W, IDLE_W, VirtualMachine
from tests.meters.stands import PLAN, Imaginary, domain

GPU, CPU, DRAM = domain("gpu"), domain("cpu", "cpu"), domain("dram", "dram")


def stand(*domains, machine=None, plan=PLAN, **more):
    """A protocol, its meter and its machine."""
    machine = machine or VirtualMachine()
    meter = Imaginary(machine, list(domains), **more)
    chosen = choose([meter], [probe(meter)])
    rig = Rig(instruments=chosen, clock=machine.clock, order=random.Random(0))
    return Protocol(rig, plan), meter, machine


def test_nothing_is_read_between_the_edges_where_there_is_a_counter():
    protocol, meter, machine = stand(GPU)
    reads_at_s = []
    read = meter.read
    meter.read = lambda: reads_at_s.append(machine.now_s) or read()
    window = protocol.window(machine.work)
    start_s, end_s = (edge["stands:gpu"].time_s for edge in (window.start, window.end))
    inside = [at_s for at_s in reads_at_s if start_s < at_s < end_s]
    assert min(inside) >= start_s + PLAN.window_s
    assert max(inside) - min(inside) <= 0.1 + machine.step_s


def test_the_device_is_waited_for_before_every_look_and_never_within():
    machine, order = VirtualMachine(), []
    meter = Imaginary(machine, [GPU])
    chosen = choose([meter], [probe(meter)])
    read, work = meter.read, machine.work
    meter.read = lambda: order.append("read") or read()
    rig = Rig(
        instruments=chosen,
        clock=machine.clock,
        synchronise=lambda: order.append("synchronise"),
        order=random.Random(0),
    )
    window = Protocol(rig, PLAN).window(lambda: order.append("work") or work())
    looks = [index for index, each in enumerate(order) if each == "read"]
    before = {order[index - 1] for index in looks}
    assert before == {"synchronise", "read"}  # the last look at an edge is at all meters at once
    longest = max("".join(each[0] for each in order).replace("r", "s").split("s"), key=len)
    assert len(longest) == pytest.approx(PLAN.window_s / machine.step_s, abs=2)
    assert window.num_done >= 7 * len(longest)


def test_the_work_done_is_counted_between_the_edges_and_no_more():
    protocol, _, machine = stand(GPU)
    window = protocol.window(machine.work)
    assert window.num_done == 7 * round(window.duration_s / machine.step_s)
    assert window.duration_s == pytest.approx(
        window.end["stands:gpu"].time_s - window.start["stands:gpu"].time_s
    )


def test_a_window_of_no_length_holds_one_step_however_slow_the_meter():
    _, meter, machine = stand(GPU)
    read = meter.read
    meter.read = lambda: (machine.sleep(0.5), read())[1]
    rig = Rig(instruments=choose([meter], [probe(meter)]), clock=machine.clock)
    window = measure(machine.work, rig, 0.0)
    assert window.num_done == 7
    assert window.duration_s == pytest.approx(0.5 + machine.step_s)


def test_without_a_meter_work_is_timed_and_every_energy_is_unavailable():
    machine = VirtualMachine()
    instruments = Instruments(missing={"gpu": "nvml: no driver", "cpu": "rapl: absent"})
    protocol = Protocol(Rig(instruments=instruments, clock=machine.clock), PLAN)
    protocol.idle("context")
    window = protocol.window(machine.work)
    account = protocol.account(window)
    assert set(account) == set(BOUNDARIES)
    assert {energy.status for energy in account.values()} == {"unavailable"}
    assert {energy.energy_j for energy in account.values()} == {None}
    assert account["gpu_net"].reason == "nvml: no driver"
    assert account["gpu_host"].reason == "nvml: no driver; rapl: absent"
    assert account["node"].reason == "no node is measured"
    assert window.num_done / window.duration_s == pytest.approx(7 / machine.step_s, rel=0.001)


def test_gross_net_and_host_add_up():
    protocol, _, machine = stand(GPU, CPU, DRAM, shares={"stands:cpu": 0.5, "stands:dram": 0.1})
    protocol.idle("bare")
    protocol.idle("context")
    window = protocol.window(machine.work)
    account = protocol.account(window)
    gross_j = BUSY_W * window.duration_s
    wanted_j = {
        "gpu": gross_j,
        "gpu_net": (BUSY_W - IDLE_W) * window.duration_s,
        "gpu_host": 1.6 * gross_j,
        "host": 0.6 * gross_j,
        "host_net": 0.6 * (BUSY_W - IDLE_W) * window.duration_s,
    }
    found_j = {name: account[name].energy_j for name in wanted_j}
    assert found_j == pytest.approx(wanted_j, rel=0.005)
    assert account["node"].status == "unavailable"


def test_net_needs_idling_with_the_network_loaded():
    protocol, _, machine = stand(GPU)
    protocol.idle("bare")
    account = protocol.account(protocol.window(machine.work))
    assert account["gpu"].status == "measured"
    assert account["gpu_net"] == Energy(
        status="unavailable", reason="idle power: context idling was not measured"
    )


def test_net_is_of_all_idling_before_and_after():
    protocol, _, machine = stand(GPU)
    protocol.idle("context")
    window = protocol.window(machine.work)
    machine.idle_w = 2 * IDLE_W
    protocol.idle("context")
    net_j = protocol.account(window)["gpu_net"].energy_j
    assert net_j == pytest.approx((BUSY_W - 1.5 * IDLE_W) * window.duration_s, rel=0.01)


def test_net_energy_that_is_not_positive_is_invalid():
    gross = Energy(status="measured", energy_j=100.0, method="m")
    idle = Energy(status="measured", energy_j=60.0, method="m")
    assert net(gross, idle, 5.0, 10.0).energy_j == pytest.approx(70.0)
    assert net(gross, idle, 10.0, 5.0).status == "invalid"
    assert "no more than idling, 20 J less" in net(gross, idle, 10.0, 5.0).reason


def test_an_idle_window_that_fails_a_check_gives_no_baseline():
    protocol, meter, machine = stand(GPU)
    meter.states = {"stands:gpu": {"process_ids": [4242]}}  # before a context of ours exists
    protocol.idle("bare")
    protocol.idle("context")
    bare, _ = protocol.baseline(BOUNDARIES["gpu"], "bare")
    assert "shared device: 1 other processes on it" in bare.reason
    context, context_s = protocol.baseline(BOUNDARIES["gpu"], "context")
    assert context.energy_j / context_s == pytest.approx(IDLE_W, rel=0.005)


def test_our_own_process_is_no_stranger():
    protocol, _, machine = stand(GPU, states={"stands:gpu": {"process_ids": [os.getpid()]}})
    assert protocol.account(protocol.window(machine.work))["gpu"].status == "measured"
    protocol, _, machine = stand(GPU, states={"stands:gpu": {"process_ids": [os.getpid(), 1]}})
    assert protocol.account(protocol.window(machine.work))["gpu"].status == "invalid"


def test_a_meter_that_fails_in_the_middle_makes_the_energy_invalid_but_not_the_work():
    protocol, _, machine = stand(GPU, fails_at_s=8.0)
    window = protocol.window(machine.work)
    account = protocol.account(window)
    assert account["gpu"] == Energy(status="invalid", reason="the meter fell off the wall")
    assert window.num_done / window.duration_s == pytest.approx(7 / machine.step_s, rel=0.001)


def test_a_part_of_another_part_is_counted_once():
    energies = {
        "stands:m": Energy(status="measured", energy_j=500.0, sigma_j=3.0, method="m"),
        "stands:gpu": Energy(status="measured", energy_j=300.0, sigma_j=4.0, method="g"),
        "stands:cpu": Energy(status="integrated", energy_j=100.0, method="c"),
    }
    module = domain("m", "module")
    gpu_host = BOUNDARIES["gpu_host"]
    assert total(gpu_host, [GPU, CPU], energies, {}).energy_j == 400.0
    assert total(gpu_host, [GPU, CPU], energies, {}).status == "integrated"
    for contains in (("stands:gpu", "stands:cpu"), ("gpu", "cpu")):
        whole = total(gpu_host, [replace(module, contains=contains), GPU, CPU], energies, {})
        assert (whole.energy_j, whole.sigma_j, whole.method) == (500.0, 3.0, "m")
    assert total(gpu_host, [replace(module, contains=("gpu",)), GPU], energies, {}).reason == (
        "no cpu is measured"
    )


def test_errors_add_as_independent_ones_do():
    energies = {
        "stands:gpu": Energy(status="measured", energy_j=300.0, sigma_j=3.0, method="g"),
        "stands:cpu": Energy(status="measured", energy_j=100.0, sigma_j=4.0, method="c"),
    }
    both = total(BOUNDARIES["gpu_host"], [GPU, CPU], energies, {})
    assert (both.sigma_j, both.method) == (5.0, "g; c")


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ({"temperature_c": 50}, {"temperature_c": 46}, "the temperature drifted by -4.0 degrees"),
        ({"thermal_throttle_s": 1.0}, {"thermal_throttle_s": 1.1}, "because it was too hot"),
        ({}, {"is_thermally_throttled": True}, "because it was too hot"),
        ({"shared": "it is split"}, {}, "shared device: it is split"),
    ],
)
def test_states_at_the_edges_are_checked(before, after, reason):
    protocol, _, machine = stand(GPU)
    window = protocol.window(machine.work)
    states = {
        "telemetry_start": {"stands:gpu": before},
        "telemetry_end": {"stands:gpu": after},
    }
    assert reason in protocol.account(replace(window, **states))["gpu"].reason
    calm = {key: {"stands:gpu": {"temperature_c": 50}} for key in states}
    assert protocol.account(replace(window, **calm))["gpu"].status == "measured"


def test_a_power_cap_is_on_record_and_no_reason_to_refuse():
    protocol, _, machine = stand(GPU, states={"stands:gpu": {"is_power_capped": True}})
    window = protocol.window(machine.work)
    assert protocol.account(window)["gpu"].status == "measured"
    assert window.record()["telemetry_end"]["stands:gpu"]["is_power_capped"] is True


def test_limits_are_set_by_whoever_measures():
    protocol, _, machine = stand(GPU)
    window = protocol.window(machine.work)
    warm = replace(
        window,
        telemetry_start={"stands:gpu": {"temperature_c": 50}},
        telemetry_end={"stands:gpu": {"temperature_c": 54}},
    )
    assert protocol.account(warm)["gpu"].status == "invalid"
    protocol.limits = Limits(temperature_drift_c=5.0)
    assert protocol.account(warm)["gpu"].status == "measured"


def test_settling_goes_on_while_the_device_warms_up_but_not_for_ever():
    protocol, meter, machine = stand(GPU)
    assert protocol.settle(machine.work) == pytest.approx(PLAN.settle_s, abs=0.01)
    start_s = machine.now_s
    meter.telemetry = lambda: {"stands:gpu": {"temperature_c": machine.now_s - start_s}}
    assert protocol.settle(machine.work) == pytest.approx(PLAN.longest_settle_s, abs=0.01)


def test_gaps_are_drawn_anew_each_time():
    protocol, _, machine = stand(GPU)
    gaps_s = []
    for _ in range(20):
        start_s = machine.now_s
        protocol.gap()
        gaps_s.append(machine.now_s - start_s)
    assert len({round(gap_s, 6) for gap_s in gaps_s}) == 20
    assert PLAN.gap_s[0] <= min(gaps_s)
    assert max(gaps_s) <= PLAN.gap_s[1]


def test_two_windows_side_by_side_agree():
    protocol, _, machine = stand(GPU)
    powers_w = []
    for _ in range(2):
        window = protocol.window(machine.work)
        powers_w.append(protocol.account(window)["gpu"].energy_j / window.duration_s)
    assert powers_w[0] == pytest.approx(powers_w[1], rel=0.002)


def test_a_window_can_be_computed_anew_from_its_record():
    protocol, _, machine = stand(GPU)
    window = protocol.window(machine.work)
    record = json.loads(json.dumps(window.record()))
    start_j, end_j = (record[edge]["stands:gpu"]["energy_j"] for edge in ("start", "end"))
    assert end_j - start_j == protocol.account(window)["gpu"].energy_j


@pytest.mark.parametrize("name", PLANS)
def test_a_plan_leaves_room_for_fifty_updates_of_a_tenth_of_a_second(name):
    plan = PLANS[name]
    assert plan.window_s >= 2 * 50 * 0.1
    assert plan.idle_s >= plan.window_s
    assert plan.num_processes >= 5
