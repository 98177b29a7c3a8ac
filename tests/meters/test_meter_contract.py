"""What every meter must hold. A new file in moebench/meters is found and tested unasked."""

import subprocess
import sys

import pytest

from moebench import registry
from moebench.meters.base import (
    KINDS,
    Clock,
    Domain,
    Energy,
    Meter,
    MeterError,
    Probe,
    is_double,
    moved_j,
    refuse_doubles,
)
from moebench.meters.instruments import choose, discover
from moebench.meters.proof import probe
from tests.meters.double import VirtualMachine
from tests.meters.stands import Imaginary, domain

every_meter = pytest.mark.parametrize("name", registry.names("meters"))


@every_meter
def test_probing_never_raises_and_a_meter_without_domains_says_why_in_one_line(name):
    """On whatever machine this runs, there is a meter or a reason; nobody is asked twice."""
    [meter] = discover([name])
    found = probe(meter)
    assert found.meter == name
    for each in found.domains:
        assert each.kind in meter.kinds
        assert each.id.startswith(f"{name}:")
    if not found.domains:
        assert found.reason
        assert "\n" not in found.reason
    meter.close()
    meter.close()


@every_meter
def test_a_gpu_that_is_not_there_is_refused_and_what_is_no_gpu_does_not_care(name):
    [meter] = discover([name])
    found = probe(meter, ["GPU-ffffffff-ffff-ffff-ffff-ffffffffffff"])
    assert not [each for each in found.domains if each.kind == "gpu"]
    meter.close()


@every_meter
def test_a_meter_declares_what_it_may_find(name):
    meter = registry.load(Meter, name)
    assert meter.kinds
    assert set(meter.kinds) <= set(KINDS)


def test_describing_and_finding_meters_does_not_import_torch():
    code = (
        "import sys; from moebench.meters.instruments import discover\n"
        "from moebench.energy import protocol; discover(); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_null_is_not_tried_unless_it_is_asked_for():
    assert "null" not in [meter.name for meter in discover()]
    assert {meter.name for meter in discover()} == set(registry.names("meters")) - {"null"}
    null = discover(["null"])
    assert choose(null, [probe(null[0])]).missing["gpu"] == "null: no meter was asked for"


def test_options_reach_the_meter_they_are_for():
    [meter] = discover(["rapl"], options={"rapl": {"root": "/elsewhere"}})
    assert probe(meter).reason.startswith("/elsewhere is absent")


def test_an_unknown_meter_is_answered_with_those_there_are():
    with pytest.raises(ValueError, match="unknown meter 'wall'; choose from amdsmi, hwmon"):
        discover(["wall"])


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "measured", "energy_j": 0.0, "method": "m"},
        {"status": "measured", "energy_j": -1.0, "method": "m"},
        {"status": "measured", "method": "m"},
        {"status": "measured", "energy_j": 1.0},
        {"status": "measured", "energy_j": 1.0, "method": "m", "reason": "r"},
        {"status": "unavailable", "energy_j": 0.0, "reason": "r"},
        {"status": "unavailable"},
        {"status": "invalid", "sigma_j": 1.0, "reason": "r"},
    ],
)
def test_an_energy_is_a_positive_value_or_null_with_a_reason(fields):
    with pytest.raises(AssertionError):
        Energy(**fields)


def test_a_probe_that_found_nothing_must_say_why():
    with pytest.raises(AssertionError):
        Probe(meter="m")


def test_a_counter_moves_forward_wraps_once_or_was_reset():
    assert moved_j(10.0, 12.5, None) == 2.5
    assert moved_j(10.0, 12.5, 100.0) == 2.5
    assert moved_j(98.0, 3.0, 100.0) == 5.0
    with pytest.raises(MeterError, match=r"from 98\.000 J to 3\.000 J: it was reset"):
        moved_j(98.0, 3.0, None)


def test_doubles_are_recognised_whatever_the_case_and_real_names_are_not():
    assert is_double(["NVIDIA H200", "nvml:x (Imaginary GPU (Test Double)): counter"])
    assert not is_double(["NVIDIA H200", None, 3.0])
    refuse_doubles(["NVIDIA H200"], "rows")


def made(*domains, **more):
    machine = VirtualMachine()
    meter = Imaginary(machine, list(domains), **more)
    return meter, probe(meter)


def test_a_counter_is_taken_before_a_power_reading_and_the_unused_meter_is_closed():
    by_power, power_found = made(domain("p", source="power"))
    by_counter, counter_found = made(domain("c"))
    chosen = choose([by_power, by_counter], [power_found, counter_found])
    assert [each.id for each in chosen.domains] == ["stands:c"]
    assert chosen.meters == (by_counter,)
    assert (by_power.num_closed, by_counter.num_closed) == (1, 0)
    chosen.close()
    assert by_counter.num_closed == 1


def test_what_nothing_measures_is_said_with_the_reason_of_every_meter_that_might():
    null, rapl = discover(["null", "rapl"], options={"rapl": {"root": "/elsewhere"}})
    missing = choose([null, rapl], [probe(null), probe(rapl)]).missing
    assert missing["node"] == "null: no meter was asked for"
    assert missing["cpu"].startswith("null: no meter was asked for; rapl: /elsewhere is absent")
    assert choose([], []).missing["gpu"] == "none of the meters asked for measures a gpu"


def test_one_counter_that_stands_still_makes_a_meter_useless_unless_it_can_do_without():
    for is_required in (True, False):
        still = domain("still", is_required=is_required)
        _, found = made(domain("moves"), still, shares={"stands:still": 0.0})
        reason = "part still: the energy counter did not move in 2 s"
        assert found.reason == reason
        assert bool(found.domains) is not is_required


def test_a_meter_that_fails_while_it_is_proved_says_why():
    meter, found = made(domain(), fails_at_s=1.2)
    assert found == Probe(meter="stands", reason="the meter fell off the wall")
    assert meter.num_closed == 1


def test_the_update_period_is_the_time_between_movements():
    _, found = made(domain())
    assert found.domains[0].update_s == pytest.approx(0.1, rel=0.02)
    assert isinstance(found.domains[0], Domain)
    assert Clock().now_s() <= Clock().now_s()
