"""What one rank runs: ``python -m moebench.parallel.job JOB ROWS CODE``, see ``start``."""

import sys
from pathlib import Path

from pydantic import TypeAdapter

from moebench import records
from moebench.machine import num_cores
from moebench.parallel.probe import measure_links
from moebench.parallel.ranks import Ranks
from moebench.parallel.sweep import measure_sweep
from moebench.records import Row
from moebench.spec import LinksJob, SweepJob

Job = SweepJob | LinksJob
_JOB: TypeAdapter[Job] = TypeAdapter(Job)


def carry_out(job: Job, ranks: Ranks, code: str) -> list[Row]:
    """Measure on this rank, together with those that were started beside it.

    All ranks return the same rows. Raises ValueError where other ranks were started than asked for.
    """
    if ranks.place.world_size != job.world_size:
        raise ValueError(
            f"the job is for {job.world_size} ranks and {ranks.place.world_size} were started; "
            "start as many as it asks for"
        )
    group = ranks.join(job.communicator)
    if job.communicator == "gloo" and group.rank == 0 and job.world_size > num_cores():
        print(
            f"warning: gloo's collectives take milliseconds where {job.world_size} ranks share "
            f"{num_cores()} cores; set communicator to 'mpi'",
            file=sys.stderr,
        )
    if isinstance(job, LinksJob):
        return measure_links(job, group, code)
    return measure_sweep(job, group, code)


def _main(job: str, rows: str, code: str) -> None:
    with Ranks() as ranks:
        asked = _JOB.validate_json(Path(job).read_text(encoding="utf-8"))
        found = carry_out(asked, ranks, code)
        if ranks.place.rank == 0:
            records.write(found, rows)


if __name__ == "__main__":
    _main(*sys.argv[1:])
