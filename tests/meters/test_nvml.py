"""NVIDIA's meter through the real nvidia-ml-py, against a double of the driver's library.

Each scenario runs the whole protocol, in virtual time, in a process of its own.
"""

import ctypes.util
import json
import os
import subprocess
import sys

import pytest

from moebench.meters.base import refuse_doubles
from tests.meters import double
from tests.specs import ROOT

pytestmark = pytest.mark.skipif(double.compiler() is None, reason="there is no C compiler")

UUID = "GPU-d0b1e000-0000-0000-0000-{:012d}"
IN_WINDOW = {"DOUBLE_FAULT_AT_S": "13.5"}  # after settling, before the window ends

WORKING = {
    "normal": {},
    "quick counter": {"environment": {"DOUBLE_UPDATE_S": "0.02"}},
    "square wave": {"machine": {"busy_w": [600, 600, 600, 120, 120, 120], "step_s": 0.011}},
    "two devices": {"environment": {"DOUBLE_NUM_DEVICES": "2"}},
    "second of two": {"environment": {"DOUBLE_NUM_DEVICES": "2"}, "devices": [UUID.format(1)]},
    "its own process": {"environment": {"DOUBLE_PROCESSES": "4242"}},
}
NOTHING = {
    "no_driver": "the NVIDIA driver is not loaded; load it",
    "mismatch": "library and driver of NVIDIA differ in version; restart",
    "no_permission": "no permission to ask the NVIDIA driver; run as a user who may",
    "unsupported": "boards before Volta have no energy counter",
    "frozen": "the energy counter did not move in 2 s",
    "library": "libnvidia-ml.so.1 is not found: no NVIDIA driver here",
    "symbol": "the NVIDIA driver is too old to tell; update it",
    "device": "the driver knows no such GPU; nvidia-smi -L lists those there are",
    "no device": "the NVIDIA driver sees no GPU",
}
BAD = {
    "stopped": ({}, "the energy counter stood still for 10 s"),
    "reset": ({}, "the counter went backwards, from"),
    "wrapped": ({}, "the counter went backwards, from 429"),
    "lost": ({}, "the GPU fell off the bus; restart the machine"),
    "swapped": ({}, "the device is now GPU-d0b1e000-0000-0000-0000-000000000100; measure again"),
    "hot": ({}, "the device slowed down because it was too hot"),
    "hot now": ({"DOUBLE_EVENT_REASONS": "64"}, "slowed down because it was too hot"),
    "warming": ({"DOUBLE_WARMING_C_S": "1"}, "the temperature drifted by +5.0 degrees"),
    "split": ({"DOUBLE_MIG": "1"}, "shared device: it is split by MIG"),
    "served": ({"CUDA_MPS_PIPE_DIRECTORY": "/mps"}, "shared device: MPS serves it"),
    "crowded": ({"DOUBLE_PROCESSES": "4242 4343"}, "shared device: 1 other processes on it"),
    "unlike": (
        {"DOUBLE_POWER_SCALE": "1.2"},
        "the counter says 350 W, the power readings 420 W",
    ),
}
OTHER_BAD = {
    "short": ({"window_s": 2.0}, "the window holds 20.0 updates of the counter, under 50"),
    "too much": (
        {"machine": {"busy_w": [800.0]}},
        "800 W is over 1.1 times the limit of the device",
    ),
    "too little": (
        {"machine": {"busy_w": [40.0]}},
        "40 W is under 0.5 times idle power",
    ),
}


def scenarios(library, without_counter):
    """All of them, by name."""
    found = dict(WORKING)
    found |= {name: {"environment": {"DOUBLE_FAULT": name}} for name in NOTHING}
    found |= {
        "library": {"library": None},
        "symbol": {"library": str(without_counter)},
        "device": {"devices": [UUID.format(7)]},
        "no device": {"environment": {"DOUBLE_NUM_DEVICES": "0"}},
    }
    found |= {
        name: {"environment": {"DOUBLE_FAULT": name, **IN_WINDOW, **more}}
        for name, (more, _) in BAD.items()
    }
    found |= {name: scenario for name, (scenario, _) in OTHER_BAD.items()}
    return {name: {"library": str(library), **scenario} for name, scenario in found.items()}


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return double.build(tmp_path_factory.mktemp("library"))


@pytest.fixture(scope="module")
def answers(library, tmp_path_factory):
    without = double.build(tmp_path_factory.mktemp("without"), "-DWITHOUT_COUNTER")
    finished = subprocess.run(
        [sys.executable, "-m", "tests.meters.double"],
        input=json.dumps(scenarios(library, without)),
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
    )
    return json.loads(finished.stdout)


@pytest.mark.slow
@pytest.mark.parametrize("name", WORKING)
def test_measured_joules_are_those_truly_drawn(answers, name):
    """The counter of device i runs i + 1 times as fast."""
    answer = answers[name]
    factor = {"two devices": 3, "second of two": 2}.get(name, 1)
    energy = answer["account"]["gpu"]
    assert energy["status"] == "measured"
    assert energy["energy_j"] == pytest.approx(factor * answer["true_j"], rel=0.005)
    assert 5.0 <= answer["window"]["duration_s"] < 5.2
    assert answer["true_j"] == pytest.approx(350 * answer["window"]["duration_s"], rel=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("name", WORKING)
def test_net_energy_is_less_by_what_idling_takes(answers, name):
    answer = answers[name]
    factor = {"two devices": 3, "second of two": 2}.get(name, 1)
    idle_j = factor * double.IDLE_W * answer["window"]["duration_s"]
    gross_j, net_j = (answer["account"][each]["energy_j"] for each in ("gpu", "gpu_net"))
    assert gross_j - net_j == pytest.approx(idle_j, rel=0.005)


@pytest.mark.slow
def test_the_error_that_is_claimed_covers_the_one_that_is_made(answers):
    for name in ("normal", "quick counter", "square wave"):
        energy, true_j = answers[name]["account"]["gpu"], answers[name]["true_j"]
        assert abs(energy["energy_j"] - true_j) <= 4 * energy["sigma_j"] + 1e-3


def test_the_update_period_is_found_by_looking(answers):
    for name, update_s in {"normal": 0.1, "quick counter": 0.02}.items():
        [domain] = answers[name]["probe"]["domains"]
        assert domain["update_s"] == pytest.approx(update_s, rel=0.06)


@pytest.mark.slow
@pytest.mark.parametrize("name", NOTHING)
def test_what_cannot_be_measured_is_null_with_the_reason_and_the_remedy(answers, name):
    if name == "library" and ctypes.util.find_library("nvidia-ml"):
        pytest.skip("this machine has NVIDIA's library")
    for energy in answers[name]["account"].values():
        assert (energy["status"], energy["energy_j"]) == ("unavailable", None)
    assert NOTHING[name] in answers[name]["account"]["gpu"]["reason"]
    assert answers[name]["probe"]["domains"] == []
    assert answers[name]["window"]["num_done"] > 0  # the work is timed all the same
    assert answers[name]["window"]["duration_s"] == pytest.approx(5.0, abs=0.01)


@pytest.mark.parametrize("name", [*BAD, *OTHER_BAD])
def test_a_window_that_fails_a_check_is_null_with_the_reason(answers, name):
    reason = {**BAD, **OTHER_BAD}[name][1]
    for boundary in ("gpu", "gpu_net"):
        energy = answers[name]["account"][boundary]
        assert (energy["status"], energy["energy_j"]) == ("invalid", None)
        assert reason in energy["reason"]


def test_the_double_says_what_it_is_in_every_value_and_is_refused(answers):
    probe = answers["normal"]["probe"]
    assert probe["facts"]["driver"] == "999.00-fake"
    for names in ([probe["domains"][0]["name"]], [answers["normal"]["account"]["gpu"]["method"]]):
        with pytest.raises(ValueError, match=r"^energy\.csv: holds readings of a test double"):
            refuse_doubles(names, "energy.csv")


def test_a_window_can_be_written_down_and_says_what_the_device_did(answers):
    [state] = answers["normal"]["window"]["telemetry_end"].values()
    assert state["sm_clock_hz"] == 1.98e9
    assert state["power_limit_w"] == 700
    assert state["temperature_c"] == 40


@pytest.mark.slow
def test_the_command_prints_what_can_be_measured(library):
    answered = subprocess.run(
        [sys.executable, "-m", "moebench.meters", "nvml"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "LD_LIBRARY_PATH": str(library.parent)},
        capture_output=True,
        text=True,
    )
    assert answered.returncode == 0, answered.stderr
    assert (
        "nvml: yes, gpu Imaginary GPU (test double): energy counter, every 0.1 s, limit 700 W"
        in (answered.stdout)
    )
