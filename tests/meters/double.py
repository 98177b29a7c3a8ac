"""A GPU that does not exist: the double of NVIDIA's library, and a clock that takes no time.

``python -m tests.meters.double LIBRARY`` reads scenarios from standard input, as JSON by name, and
answers each in a process of its own, forked before nvidia-ml-py has loaded any library.
"""

import ctypes
import json
import math
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import moebench.meters.nvml  # noqa: F401  # before forking; it loads no library yet
from moebench.energy.protocol import Plan, Protocol
from moebench.energy.window import Rig
from moebench.meters.base import Clock
from moebench.meters.instruments import choose, discover
from moebench.meters.proof import probe

SOURCE = Path(__file__).with_name("nvml_double.c")
IDLE_W, BUSY_W, STEP_S = 100.0, 350.0, 0.003


def compiler():
    """The C compiler's path; None where there is none."""
    return shutil.which(os.environ.get("CC", "cc"))


def build(folder, *flags):
    """Compile the double; returns the library's path."""
    library = Path(folder) / "libnvidia-ml.so.1"
    subprocess.run(
        [
            *(compiler(), "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", *flags),
            *("-Wl,-soname,libnvidia-ml.so.1", "-o", library, SOURCE, "-lm"),
        ],
        check=True,
    )
    return library


class VirtualMachine:
    """Time that passes only when it is told to, and the energy that was then truly drawn.

    ``path`` is the file that the double reads: the time, and every change of power.
    """

    def __init__(self, path=None, idle_w=IDLE_W, busy_w=(BUSY_W,), step_s=STEP_S):
        self.file = None if path is None else open(path, "w+b", buffering=0)  # noqa: SIM115
        self.idle_w, self.busy_w, self.step_s = idle_w, busy_w, step_s
        self.now_s, self.drawn_j, self.num_steps = 0.0, 0.0, 0
        self.power_w = None
        self.changes = []  # (from when, watts)
        self.clock = Clock(now_s=lambda: self.now_s, sleep=self.sleep)
        self.advance(1.0, idle_w)

    def sleep(self, seconds):
        self.advance(seconds, self.idle_w)

    def work(self):
        """One step, of seven inferences."""
        self.num_steps += 1
        self.advance(self.step_s, self.busy_w[self.num_steps % len(self.busy_w)])
        return 7

    def true_between_j(self, start_s, end_s):
        """Energy truly drawn between two times."""
        ends_s = [when for when, _ in self.changes[1:]] + [math.inf]
        pieces = [
            watts * max(0.0, min(until, end_s) - max(since, start_s))
            for (since, watts), until in zip(self.changes, ends_s, strict=True)
        ]
        return math.fsum(pieces)

    def advance(self, seconds, power_w):
        if power_w != self.power_w:
            self.power_w = power_w
            self.changes.append((self.now_s, power_w))
            if self.file is not None:
                self.file.seek(0, os.SEEK_END)
                if self.file.tell() == 0:
                    self.file.write(f"{self.now_s:020.9f}\n".encode())
                self.file.write(f"{self.now_s:.9f} {power_w}\n".encode())
        self.now_s += seconds
        self.drawn_j += power_w * seconds
        if self.file is not None:
            os.pwrite(self.file.fileno(), f"{self.now_s:020.9f}\n".encode(), 0)


def answer(scenario):
    """Run the protocol against the double: what the probe says and what each window came to.

    ``scenario``: ``environment`` of the double; what the virtual ``machine`` is made with;
    ``window_s``; ``devices``, or null for all.
    """
    os.environ.update(scenario.get("environment", {}))
    machine = VirtualMachine(os.environ["DOUBLE_CLOCK"], **scenario.get("machine", {}))
    meters = discover(["nvml"], machine.clock)
    probes = [probe(meter, scenario.get("devices")) for meter in meters]
    rig = Rig(instruments=choose(meters, probes), clock=machine.clock, order=random.Random(0))
    window_s = scenario.get("window_s", 5.0)
    plan = Plan(
        settle_s=2,
        longest_settle_s=4,
        window_s=window_s,
        idle_s=window_s,
        gap_s=(2, 3),
        num_processes=1,
    )
    protocol = Protocol(rig, plan)
    protocol.idle("context")
    window = protocol.window(machine.work)
    account = protocol.account(window)
    times_s = [[reading.time_s for reading in edge.values()] for edge in (window.start, window.end)]
    edges_s = [min(times) for times in times_s] if all(times_s) else [0, 0]
    return {
        "probe": vars(probes[0]) | {"domains": [vars(each) for each in probes[0].domains]},
        "missing": rig.instruments.missing,
        "window": window.record(),
        "true_j": machine.true_between_j(*edges_s),
        "account": {name: vars(energy) for name, energy in account.items()},
    }


def _in_child(library, scenario, answer_path):
    """Answer in a forked process that ends here, so that no library stays loaded."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        assert status == 0, f"{scenario} ended with {status}"
        return json.loads(answer_path.read_text())
    status = 1
    try:
        if library is not None:
            ctypes.CDLL(str(library))
        answer_path.write_text(json.dumps(answer(scenario)))
        status = 0
    finally:
        sys.stderr.flush()
        os._exit(status)


def main(scenarios):
    """Answers by scenario. A scenario's ``library`` is the double to load; null loads none."""
    answers = {}
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, scenario) in enumerate(scenarios.items()):
            os.environ["DOUBLE_CLOCK"] = f"{folder}/clock{number}"
            answers[name] = _in_child(
                scenario["library"], scenario, Path(folder) / f"answer{number}"
            )
    return answers


if __name__ == "__main__":
    json.dump(main(json.load(sys.stdin)), sys.stdout)
