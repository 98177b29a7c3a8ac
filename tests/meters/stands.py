"""Meters on machines made of files, programs and numbers, all driven by one virtual clock."""

import json
import sys
import types

from moebench.energy.protocol import Plan
from moebench.meters.base import Domain, Meter, MeterError, Reading
from tests.meters.double import VirtualMachine

PLAN = Plan(settle_s=2, longest_settle_s=4, window_s=5, idle_s=5, gap_s=(2, 3), num_processes=1)


class Shown:
    """A file that holds one number; written in place, as to make it anew takes milliseconds."""

    def __init__(self, path):
        self.path = path
        path.touch()

    def show(self, number):
        with open(self.path, "r+b") as file:
            file.write(f"{number:020d}\n".encode())


class RaplTree(VirtualMachine):
    """A powercap tree: one package and its DRAM, a core zone, psys, and the package's mirror."""

    def __init__(self, root, range_uj=262_143_328_850, start_uj=1_000_000, **more):
        self.range_uj, self.start_uj = range_uj, start_uj
        zones = {
            "intel-rapl:0": "package-0",
            "intel-rapl:0:0": "core",
            "intel-rapl:0:1": "dram",
            "intel-rapl:1": "psys",
            "intel-rapl-mmio:0": "package-0",
        }
        for zone, name in zones.items():
            folder = root / zone
            folder.mkdir(parents=True)
            (folder / "name").write_text(f"{name}\n")
            (folder / "max_energy_range_uj").write_text(f"{range_uj}\n")
        (root / "intel-rapl:0" / "constraint_0_power_limit_uw").write_text("400000000\n")
        self.shares = dict.fromkeys(zones, 1.0) | {"intel-rapl:0:1": 0.1}
        self.files = {zone: Shown(root / zone / "energy_uj") for zone in zones}
        super().__init__(**more)

    def advance(self, seconds, power_w):
        super().advance(seconds, power_w)
        for zone, share in self.shares.items():
            energy_uj = self.start_uj + round(share * 1e6 * self.drawn_j)
            self.files[zone].show(energy_uj % self.range_uj)


class SensorTree(VirtualMachine):
    """A hwmon tree of power meters with these labels; each shows the true power."""

    def __init__(self, root, labels=("",), **more):
        self.files = []
        for number, label in enumerate(labels):
            folder = root / f"hwmon{number}"
            (folder / "device").mkdir(parents=True)
            (folder / "name").write_text("power_meter\n")
            if label:
                (folder / "device" / "power1_oem_info").write_text(f"{label}\n")
            self.files.append(Shown(folder / "power1_average"))
        super().__init__(**more)

    def advance(self, seconds, power_w):
        super().advance(seconds, power_w)
        for file in self.files:
            file.show(round(1e6 * power_w))


class Scontrol(VirtualMachine):
    """A program that answers like Slurm's, from two files; the counter moves every second."""

    def __init__(self, folder, sharing="NO", counts=True, **more):
        self.folder, self.counts, self.second = folder, counts, None
        (folder / "job").write_text(f"JobId=7\n   OverSubscribe={sharing} Contiguous=0\n")
        self.command = folder / "scontrol"
        self.command.write_text(f'#!/bin/sh\nexec cat "{folder}/$2"\n')
        self.command.chmod(0o755)
        super().__init__(**more)

    def advance(self, seconds, power_w):
        super().advance(seconds, power_w)
        if int(self.now_s) == self.second:
            return
        self.second = int(self.now_s)
        consumed_j = round(self.true_between_j(0, self.second)) if self.counts else 0
        answer = {"nodes": [{"name": "n1", "energy": {"consumed_energy": consumed_j}}]}
        (self.folder / "node").write_text(json.dumps(answer))


class AmdLibrary(types.ModuleType):
    """As much of amdsmi as the meter asks for; one GPU, ticks of 15.3 microjoules."""

    class AmdSmiException(Exception):
        """Any error of the library."""

    AmdSmiTemperatureType = types.SimpleNamespace(HOTSPOT=1)
    AmdSmiTemperatureMetric = types.SimpleNamespace(CURRENT=0)

    def __init__(self, machine, is_supported=True):
        super().__init__("amdsmi")
        self.machine, self.is_supported, self.num_shut_down = machine, is_supported, 0

    def amdsmi_init(self):
        pass

    def amdsmi_shut_down(self):
        self.num_shut_down += 1

    def amdsmi_get_processor_handles(self):
        return ["handle"]

    def amdsmi_get_gpu_device_uuid(self, handle):
        return "9eff74a0-0000-1000-802c-d762ae13ff9b"

    def amdsmi_get_gpu_asic_info(self, handle):
        return {"market_name": "AMD Instinct (test double)"}

    def amdsmi_get_power_cap_info(self, handle):
        return {"power_cap": 750_000_000}

    def amdsmi_get_energy_count(self, handle):
        if not self.is_supported:
            raise self.AmdSmiException("AMDSMI_STATUS_NOT_SUPPORTED")
        true_j = self.machine.true_between_j(0, int(self.machine.now_s * 1000) / 1000)
        return {"energy_accumulator": int(true_j / 15.3e-6), "counter_resolution": 15.3}

    def amdsmi_get_temp_metric(self, handle, kind, metric):
        return 45

    def amdsmi_get_gpu_process_list(self, handle):
        return [{"pid": 4242}]


def put_in_place(monkeypatch, library):
    """Make ``import amdsmi`` give the library."""
    monkeypatch.setitem(sys.modules, "amdsmi", library)


class Imaginary(Meter):
    """Domains whose counters or power readings follow the machine, refreshed every tenth second.

    ``states`` are what telemetry gives, ``fails_at_s`` when reading stops; energies by domain are
    ``share`` of the truth.
    """

    kinds = ("gpu", "cpu", "dram", "module", "node")

    def __init__(self, machine, domains, shares=None, states=None, fails_at_s=None):
        super().__init__(machine.clock)
        self.machine, self.domains, self.states = machine, domains, states or {}
        self.shares, self.fails_at_s = shares or {}, fails_at_s
        self.num_reads, self.num_closed = 0, 0

    def open(self, devices):
        return list(self.domains), {}

    def read(self):
        self.num_reads += 1
        now_s = self.clock.now_s()
        if self.fails_at_s is not None and now_s >= self.fails_at_s:
            raise MeterError("the meter fell off the wall")
        refreshed_s = int(now_s * 10 + 1e-6) / 10
        found = {}
        for domain in self.domains:
            share = self.shares.get(domain.id, 1.0)
            if domain.source == "counter":
                value = {"energy_j": share * self.machine.true_between_j(0, refreshed_s)}
            else:
                value = {"power_w": share * self.machine.power_w}
            found[domain.id] = Reading(time_s=now_s, **value)
        return found

    def telemetry(self):
        return self.states

    def close(self):
        self.num_closed += 1


def domain(name="a", kind="gpu", source="counter", **more):
    """A domain of an Imaginary meter."""
    return Domain(id=f"stands:{name}", kind=kind, name=f"part {name}", source=source, **more)
