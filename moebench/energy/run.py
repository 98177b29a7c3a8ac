"""A whole sweep: process after process, each of its own, until every window is measured."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from moebench import machine, provenance, termination
from moebench.energy.plan import num_windows, plan_of
from moebench.energy.readiness import check
from moebench.energy.resume import finished, missing, num_missing
from moebench.energy.state import State
from moebench.records import Row
from moebench.spec.energy import EnergySpec


def measure(spec: EnergySpec, folder: Path, code: str) -> list[Row]:
    """Measure every cell in every block, alone on the machine, and return all rows.

    ``folder`` holds the state of an unfinished sweep and is gone after a finished one. ``code`` is
    the digest of the code. Raises ValueError for what the machine cannot do, and where the spec's
    time is over before the sweep is.
    """
    check(spec)
    start_s = time.monotonic()
    state = State(folder)
    with machine.exclusive():
        state.begin(_plan(spec, code))
        for process in range(plan_of(spec).num_processes):
            left_s = _left_s(spec, start_s)
            is_finished = not missing(spec, process, state.rows(), board="")
            if not is_finished and (left_s is None or left_s > 0):
                _run(folder, process, left_s)
    rows = state.rows()
    if left := num_missing(spec, rows):
        asked = num_windows(spec)
        raise machine.MachineError(
            f"{asked - left} of {asked} windows are measured, and energy.stop_after_s="
            f"{spec.stop_after_s:g} is over; run again to go on"
        )
    state.forget()
    return finished(spec, rows)


def _plan(spec: EnergySpec, code: str) -> dict[str, Any]:
    """All that decides what is measured; when to stop does not."""
    decisive = spec.model_dump(mode="json", exclude={"stop_after_s", "figures", "estimate"})
    return {"spec": decisive, "code": code}


def _left_s(spec: EnergySpec, start_s: float) -> float | None:
    if spec.stop_after_s is None:
        return None
    return spec.stop_after_s - (time.monotonic() - start_s)


def _run(folder: Path, process: int, left_s: float | None) -> None:
    """Run one process and pass on what it prints; its one line of complaint becomes ours."""
    command = [sys.executable, "-m", "moebench.energy", str(folder), str(process)]
    if left_s is not None:
        command += ["--stop-after-s", str(left_s)]
    paths = [str(provenance.ROOT), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    last = ""
    with (
        subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as child,
        termination.passed_on(child),
    ):
        assert child.stdout is not None
        for line in child.stdout:
            last = line.strip() or last
            print(line, end="", flush=True)
    if child.returncode:
        raise machine.MachineError(
            last.removeprefix("error: ")
            if last.startswith("error: ")
            else f"process {process} of the energy sweep ended with code {child.returncode}; "
            "its last words are above; a kill for want of memory leaves none"
        )
