"""What one rank runs: ``python -m moebench.parallel.job JOB ROWS CODE``, see ``start``."""

import contextlib
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

from pydantic import TypeAdapter

from moebench import records, registry
from moebench.parallel import launch
from moebench.parallel.communicators.base import Communicator
from moebench.parallel.probe import measure_links
from moebench.parallel.sweep import measure_sweep
from moebench.records import Row
from moebench.spec import LinksJob, SweepJob

Job = SweepJob | LinksJob
_JOB: TypeAdapter[Job] = TypeAdapter(Job)


def carry_out(job: Job, code: str) -> list[Row]:
    """Measure on this rank, together with those that were started beside it.

    All ranks return the same rows. Raises ValueError where other ranks were started than asked for.
    """
    ranks = registry.load(Communicator, job.communicator).connect(launch.place())
    with together(ranks):
        if ranks.world_size != job.world_size:
            raise ValueError(
                f"the job is for {job.world_size} ranks and {ranks.world_size} were started; "
                "start as many as it asks for"
            )
        if isinstance(job, LinksJob):
            return measure_links(job, ranks, code)
        return measure_sweep(job, ranks, code)


@contextlib.contextmanager
def together(ranks: Communicator) -> Iterator[None]:
    """Where one rank fails, end all of them: the others would wait for it for ever."""
    try:
        yield
    except BaseException as error:
        traceback.print_exc()
        print(
            f"error: rank {ranks.rank} of {ranks.world_size}: {error}", file=sys.stderr, flush=True
        )
        ranks.abort()
        raise


def _main(job: str, rows: str, code: str) -> None:
    try:
        found = carry_out(_JOB.validate_json(Path(job).read_text(encoding="utf-8")), code)
        if launch.place().rank == 0:
            records.write(found, rows)
    except ValueError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    _main(*sys.argv[1:])
