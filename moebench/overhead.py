"""``python -m moebench.overhead``: how much longer a finished run took than its critical path.

The critical path leads back from the job that ended last: to whichever job ended last before it
began, and so made it wait, for a file or for cores; and so on to the first. What lies between the
end of one and the start of the next is what the workflow engine takes.
"""

import base64
import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import typer


class OverheadError(ValueError):
    """A folder does not say when its jobs ran."""


@dataclass(frozen=True, order=True)
class Done:
    """A job that has ended; seconds since the epoch."""

    end_s: float  # when the last of its files was written
    start_s: float
    rule: str
    first_output: str

    @property
    def compute_s(self) -> float:
        """How long it ran."""
        return self.end_s - self.start_s


def finished(folder: Path) -> list[Done]:
    """Every job whose files are there, from what Snakemake keeps about each of them."""
    jobs: dict[tuple[str, ...], Done] = {}
    records = folder / ".snakemake" / "metadata"
    for kept in filter(Path.is_file, sorted(records.rglob("*"))):
        # A long name is cut into folders, which begin with "@".
        name = "".join(part.removeprefix("@") for part in kept.relative_to(records).parts)
        output = base64.b64decode(name).decode()
        record = json.loads(kept.read_bytes())
        if (folder / output).exists():
            found = Done(record["endtime"], record["starttime"], record["rule"], output)
            job = (record["rule"], *(record["log"] or [output]))
            jobs[job] = max(jobs.get(job, found), found)
    if not jobs:
        raise OverheadError(f"{folder.resolve()} holds no finished run; run `make all` in it first")
    return list(jobs.values())


def critical_path(jobs: Sequence[Done]) -> list[Done]:
    """From the first job to the one that ended last, each begun when the one before had ended."""
    path = [max(jobs)]
    while before := [job for job in jobs if job.end_s <= path[-1].start_s]:
        path.append(max(before))
    return path[::-1]


def summary(jobs: Sequence[Done]) -> str:
    """Wall time, compute on the critical path, their ratio, and where both went."""
    path = critical_path(jobs)
    wall_s = path[-1].end_s - path[0].start_s
    compute_s = sum(job.compute_s for job in path)
    spent: dict[str, float] = defaultdict(float)
    for job in path:
        spent[job.rule] += job.compute_s
    lines = [
        f"wall time     {wall_s:8.1f} s  {len(jobs)} jobs, from the first start to the last file",
        f"critical path {compute_s:8.1f} s  {len(path)} jobs, one after the other",
        f"ratio         {wall_s / compute_s:8.2f}",
        "",
        "on the critical path, and the longest that was waited before one of its jobs:",
    ]
    waited = {job: job.start_s - before.end_s for before, job in pairwise(path)}
    for rule, taken_s in sorted(spent.items(), key=lambda each: -each[1]):
        gap_s = max((gap_s for job, gap_s in waited.items() if job.rule == rule), default=0.0)
        lines.append(f"  {rule:28}{taken_s:8.1f} s {gap_s:6.1f} s")
    return "\n".join(lines)


def main(
    folder: Annotated[Path, typer.Argument(help="where Snakemake ran")] = Path(),
) -> None:
    """Print wall time, compute on the critical path, and their ratio, of a finished run."""
    try:
        typer.echo(summary(finished(folder)))
    except OverheadError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    typer.run(main)
