"""The node's energy counter as Slurm gathers it; only in a job that has the node to itself.

It is what the cluster's plugin reads (IPMI, RAPL or another), refreshed every AcctGatherNodeFreq
seconds: often too coarse for short windows, which then say so. Tested on a made-up scontrol alone.
"""

import json
import os
import subprocess
from collections.abc import Sequence
from typing import Any

from moebench.meters.base import Clock, Domain, Meter, MeterError, Reading


class Slurm(Meter):
    """One domain: the node that the job runs on."""

    kinds = ("node",)
    patience_s = 20.0
    poll_s = 0.25

    def __init__(self, clock: Clock, *, command: str = "scontrol"):
        super().__init__(clock)
        self.command = command
        self.node = ""

    def open(self, devices: Sequence[str] | None) -> tuple[list[Domain], dict[str, str]]:
        """Find the node, and see that nobody else is on it."""
        job, self.node = os.environ.get("SLURM_JOB_ID", ""), os.environ.get("SLURMD_NODENAME", "")
        if not job or not self.node:
            raise MeterError("not inside a Slurm job; start the measurement with srun or sbatch")
        if "OverSubscribe=NO" not in self._ask("job", job).split():
            raise MeterError(
                f"job {job} shares its node, whose energy is then not ours alone; "
                "ask for the node with --exclusive"
            )
        self.read()
        name = f"node {self.node}"
        return [Domain(id=f"slurm:{self.node}", kind="node", name=name, source="counter")], {}

    def read(self) -> dict[str, Reading]:
        """Joules that the node's plugin has counted."""
        energy = self._energy()
        consumed_j = energy.get("consumed_energy")
        if not consumed_j:
            raise MeterError(
                f"Slurm counts no energy on {self.node}; "
                "the cluster must set AcctGatherEnergyType in slurm.conf"
            )
        reading = Reading(time_s=self.clock.now_s(), energy_j=float(consumed_j))
        return {f"slurm:{self.node}": reading}

    def _energy(self) -> dict[str, Any]:
        try:
            [node] = json.loads(self._ask("node", self.node, "--json"))["nodes"]
        except (ValueError, KeyError):
            raise MeterError(
                f"{self.command} does not speak JSON; Slurm 21.08 or newer is needed"
            ) from None
        return dict(node.get("energy") or {})

    def _ask(self, *words: str) -> str:
        asked = [self.command, "show", *words]
        try:
            answered = subprocess.run(asked, capture_output=True, text=True, timeout=10)
        except OSError as error:
            raise MeterError(
                f"{self.command}: {error.strerror}; make Slurm's commands available inside the job"
            ) from None
        except subprocess.TimeoutExpired:
            raise MeterError(f"{' '.join(asked)} gave no answer in 10 s; try again") from None
        if answered.returncode:
            raise MeterError(f"{' '.join(asked)} failed: {answered.stderr.strip()}")
        return answered.stdout
