"""``python -m moebench.recover``: wait for, or cancel, the jobs that outlived a killed Snakemake.

Snakemake does not find them again: unlocked and started anew it would send the same jobs while the
old ones still write the same files.
"""

import getpass
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import psutil
import typer

_FORMAT = "%A|%T|%Z|%k"  # number, state, working directory, comment
_COMMENT = "rule_"  # how Snakemake's Slurm plugin begins the comment of every job
_LOOK_S = 2.0


class RecoverError(ValueError):
    """Jobs of this folder could not be asked for, or not be ended."""


@dataclass(frozen=True)
class Orphan:
    """A Slurm job that a Snakemake in this folder has sent."""

    number: str
    state: str
    what: str  # the rule, and the wildcards


def orphans(folder: Path, ask: Callable[[], str]) -> list[Orphan]:
    """Jobs of a folder among those that ``ask`` tells of, in lines of ``_FORMAT``."""
    found = []
    for line in ask().splitlines():
        number, state, place, comment = line.split("|", 3)
        if Path(place).resolve() == folder.resolve() and comment.startswith(_COMMENT):
            found.append(Orphan(number, state, comment.removeprefix(_COMMENT)))
    return found


def wait(folder: Path, ask: Callable[[], str], say: Callable[[str], None], look_s: float) -> None:
    """Return when no job of the folder is left; says so each time that one has ended."""
    left = orphans(folder, ask)
    while left:
        time.sleep(look_s)
        before, left = left, orphans(folder, ask)
        for gone in {job.number for job in before} - {job.number for job in left}:
            say(f"job {gone} has ended; {len(left)} left")


def alive(folder: Path, jobs: Collection[str]) -> list[psutil.Process]:
    """Processes on this host that are Snakemake in the folder, or were started by it.

    Those of the Slurm ``jobs`` are none: a login node may also be where jobs run.
    """
    own = {psutil.Process().pid, *(each.pid for each in psutil.Process().parents())}
    found = []
    for process in psutil.process_iter(["cwd", "cmdline", "environ"]):
        place, words = process.info["cwd"], process.info["cmdline"] or []
        job = (process.info["environ"] or {}).get("SLURM_JOB_ID")
        is_snakemake = any("snakemake" in word for word in words)
        if is_snakemake and job not in jobs and process.pid not in own and place:
            found += [process] if Path(place) == folder.resolve() else []
    return found


def _squeue() -> str:
    return _run("squeue", "--noheader", f"--user={getpass.getuser()}", f"--format={_FORMAT}")


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RecoverError(
            f"{command[0]} failed ({' '.join(done.stderr.split())}); try again when Slurm answers"
        )
    return done.stdout


def _found(folder: Path) -> list[Orphan]:
    """Orphans of the folder; none where there is no Slurm to ask."""
    if shutil.which("squeue") is None:
        typer.echo("no squeue on PATH, so no Slurm jobs to look for")
        return []
    return orphans(folder, _squeue)


def _check_nothing_else_runs(folder: Path, jobs: Collection[str]) -> None:
    running = alive(folder, jobs)
    if running:
        names = ", ".join(str(each.pid) for each in running)
        raise RecoverError(
            f"Snakemake, or a job of it, still runs in {folder.resolve()} (process {names}); wait "
            "for it, or end it with kill, and try again"
        )


def _recover(folder: Path, is_to_cancel: bool) -> None:
    found = _found(folder)
    numbers = [job.number for job in found]
    _check_nothing_else_runs(folder, numbers)
    for job in found:
        typer.echo(f"job {job.number} of this folder: {job.state.lower()}, {job.what}")
    if found and is_to_cancel:
        _run("scancel", *numbers)
    if found:
        typer.echo("waiting for them" + ("" if is_to_cancel else "; --cancel ends them instead"))
        wait(folder, _squeue, typer.echo, _LOOK_S)


def main(
    folder: Annotated[Path, typer.Argument(help="where Snakemake was started")] = Path(),
    cancel: Annotated[
        bool, typer.Option("--cancel", help="end the jobs; what is trained goes on later")
    ] = False,
) -> None:
    """Wait for the Slurm jobs that a killed Snakemake left behind, or cancel them."""
    try:
        _recover(folder, cancel)
    except ValueError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    typer.run(main)
