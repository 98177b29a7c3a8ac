"""``python -m moebench.plan``: what a config asks of a cluster: jobs, hours, GPU hours, disk.

The jobs are those that Snakemake itself would do. The time of a job is what its rule took where
jobs of it are done, for the same config; else it is declared: the time limit that the profile gives
it, an upper bound. Disk likewise: the size of files that are there, else the profile's ``disk_mb``.
"""

import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Annotated

import pandas as pd
import typer

_BLOCK = re.compile(r"^(?:local)?rule (\w+):\n((?:    .*\n)*)", re.MULTILINE)
_HEAD = (
    f"{'rule':24}{'jobs':>6}{'to do':>7}{'hours':>10}{'core hours':>12}{'GPU hours':>11}{'GB':>9}"
)


class PlanError(ValueError):
    """Snakemake could not say what it would do."""


@dataclass(frozen=True)
class Job:
    """A job of the workflow, as a dry run describes it."""

    rule: str
    outputs: tuple[str, ...]
    benchmark: str | None  # rules that are sent to a cluster have one; the others take seconds
    num_cores: int
    num_gpus: int
    limit_s: float
    declared_bytes: float


@dataclass(frozen=True)
class Cost:
    """What all jobs of one rule ask for."""

    rule: str
    num_jobs: int
    num_to_do: int
    job_s: float
    core_s: float
    gpu_s: float
    disk_bytes: float
    num_measured: int

    @property
    def source(self) -> str:
        """Where the time comes from."""
        if not self.num_measured:
            return "declared: at most, by time limit"
        if not self.num_to_do:
            return "measured"
        return f"measured on {self.num_measured} of {self.num_jobs}"


def jobs(text: str) -> list[Job]:
    """Read the jobs from what a dry run prints."""
    return [_job(rule, block) for rule, block in _BLOCK.findall(text) if rule != "all"]


def _job(rule: str, block: str) -> Job:
    fields = dict(line.strip().split(": ", 1) for line in block.splitlines() if ": " in line)
    asked = dict(each.split("=", 1) for each in fields["resources"].split(", ") if "=" in each)
    per_task = int(asked.get("cpus_per_task", fields.get("threads", 1)))
    return Job(
        rule=rule,
        outputs=tuple(fields["output"].split(", ")),
        benchmark=fields.get("benchmark"),
        num_cores=int(asked.get("tasks", 1)) * per_task,
        num_gpus=int(asked.get("gpu", 0)),
        limit_s=60.0 * int(asked["runtime"]),
        declared_bytes=1e6 * int(asked["disk_mb"]),
    )


def costs(planned: Sequence[Job], to_do: Iterable[Job], folder: Path) -> list[Cost]:
    """What the jobs of each rule cost, in the order of the rules; results lie in ``folder``."""
    waiting = {job.outputs for job in to_do}
    found = []
    for rule in dict.fromkeys(job.rule for job in planned):
        ours = [job for job in planned if job.rule == rule]
        found.append(_cost(rule, ours, [job for job in ours if job.outputs in waiting], folder))
    return found


def _cost(rule: str, ours: Sequence[Job], to_do: Sequence[Job], folder: Path) -> Cost:
    done = [job for job in ours if job not in to_do]
    taken = {
        job: _taken_s(folder / job.benchmark)
        for job in done
        if job.benchmark is not None and (folder / job.benchmark).is_file()
    }
    written = {
        job: float(sum(path.stat().st_size for path in _there(job, folder)))
        for job in done
        if _there(job, folder)
    }
    job_s = _known_or(taken, lambda job: job.limit_s if job.benchmark else 0.0)
    disk_bytes = _known_or(written, lambda job: job.declared_bytes)
    return Cost(
        rule=rule,
        num_jobs=len(ours),
        num_to_do=len(to_do),
        job_s=sum(map(job_s, ours)),
        core_s=sum(job.num_cores * job_s(job) for job in ours),
        gpu_s=sum(job.num_gpus * job_s(job) for job in ours),
        disk_bytes=sum(map(disk_bytes, ours)),
        num_measured=len(taken),
    )


def _there(job: Job, folder: Path) -> list[Path]:
    """Outputs of a job that are there; weights that nothing reads are not kept."""
    return [folder / path for path in job.outputs if (folder / path).is_file()]


def _known_or(known: dict[Job, float], declared: Callable[[Job], float]) -> Callable[[Job], float]:
    """What is known of a job, else of others of its rule, else what is declared."""
    if not known:
        return declared
    usual = mean(known.values())
    return lambda job: known.get(job, usual)


def _taken_s(benchmark: Path) -> float:
    return float(pd.read_csv(benchmark, sep="\t")["s"].mean())


def table(found: Sequence[Cost]) -> str:
    """The costs, a line for each rule that is sent, and one for all others."""
    sent = [cost for cost in found if cost.job_s > 0]
    small = [cost for cost in found if cost.job_s == 0]
    lines = [_HEAD + "  hours are"]
    lines += [_line(cost.rule, [cost]) + f"  {cost.source}" for cost in sent]
    lines.append(_line("on the login node", small) + "  seconds each, and not counted")
    lines.append(_line("all", found))
    return "\n".join(lines)


def _line(name: str, found: Sequence[Cost]) -> str:
    hours = [
        sum(times) / 3600
        for times in ([c.job_s for c in found], [c.core_s for c in found], [c.gpu_s for c in found])
    ]
    return (
        f"{name:24}{sum(c.num_jobs for c in found):6}{sum(c.num_to_do for c in found):7}"
        f"{hours[0]:10.2f}{hours[1]:12.2f}{hours[2]:11.2f}"
        f"{sum(c.disk_bytes for c in found) / 1e9:9.2f}"
    )


def _dry_run(profile: str, arguments: Sequence[str]) -> str:
    command = [sys.executable, "-m", "snakemake", "--profile", profile, "--dry-run", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise PlanError(f"Snakemake cannot plan this; correct what it names:\n{done.stdout}")
    return done.stdout


def main(
    configfile: Annotated[
        list[Path] | None,
        typer.Option(exists=True, help="laid over config/config.yaml; may be repeated"),
    ] = None,
    profile: Annotated[str, typer.Option(help="declares time limits and disk")] = "slurm",
) -> None:
    """Print what a config asks of a cluster, and what of it is still to be done."""
    given = ["--configfile", *map(str, configfile)] if configfile else []
    try:
        planned = jobs(_dry_run(profile, ["--forceall", *given]))
        to_do = jobs(_dry_run(profile, given))
        typer.echo(table(costs(planned, to_do, Path())))
    except ValueError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    typer.run(main)
