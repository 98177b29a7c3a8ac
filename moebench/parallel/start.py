"""Jobs handed to ranks that are started for them; without torch, which only the ranks need."""

import os
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from moebench import records
from moebench.parallel import launch, watch
from moebench.spec import LinksJob, SweepJob


def start(job: SweepJob | LinksJob, launcher: str, rows: str | Path, code: str) -> None:
    """Start the ranks of a job and wait until rank 0 has written their rows.

    The job lies beside the rows, for a shared disk is all that ranks on several nodes have in
    common. Raises ValueError, in one line, where ranks cannot be started or one of them fails.
    """
    asked = Path(rows).with_name("job.json")
    records.write_text(job.model_dump_json(indent=1) + "\n", asked)
    program = [sys.executable, "-m", "moebench.parallel.job"]
    run(launcher, job.world_size, [*program, str(asked), str(rows), code])


def run(
    launcher: str,
    num_ranks: int,
    program: Sequence[str],
    is_to_end: Callable[[], bool] = lambda: False,
) -> None:
    """Start ranks, wait for them, and end all where one of them dies.

    Those that srun starts may run on other hosts, so they get a name by which to reach this one.
    Once ``is_to_end`` says so, all ranks get SIGTERM.
    """
    command = launch.command(launcher, num_ranks, program)
    host = socket.gethostname() if Path(command[0]).name == "srun" else watch.LOOPBACK
    watch.run(command, num_ranks, os.environ, host, is_to_end)
