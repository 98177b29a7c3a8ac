"""Jobs handed to ranks that are started for them; without torch, which only the ranks need."""

import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from moebench import records
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


def run(launcher: str, num_ranks: int, program: Sequence[str]) -> None:
    """Start ranks and pass on what they print; ValueError where they do not all end well."""
    command = [*shlex.split(launcher.format(ranks=num_ranks)), *program]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as started:
        assert started.stdout is not None
        for line in started.stdout:
            print(line, end="", file=sys.stderr, flush=True)
    if started.returncode:
        raise ValueError(f"{num_ranks} ranks ended with code {started.returncode}; see above")
