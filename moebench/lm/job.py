"""Training and timing as jobs: done in this process, or by ranks that are started for them.

What one rank runs: ``python -m moebench.lm.job JOB``.
"""

import sys
from pathlib import Path
from typing import Literal

import torch
from pydantic import TypeAdapter

from moebench import records, termination
from moebench.lm.data import Tokens
from moebench.lm.timing import time_arms
from moebench.lm.train import train
from moebench.parallel import launch, start
from moebench.parallel.communicators.base import Alone, Communicator
from moebench.parallel.ranks import Ranks
from moebench.records import Row
from moebench.spec import RunSpec, TimingSpec, TrainingSpec
from moebench.spec.base import Spec


class TokenFiles(Spec):
    """The three files of a tokenised corpus."""

    train: str
    validation: str
    facts: str


class _Job(Spec):
    tokens: TokenFiles
    code: str  # digest of the code
    rows: str  # the file they go to


class TrainingJob(_Job):
    """One model to train."""

    kind: Literal["train"] = "train"
    spec: RunSpec
    weights: str  # the file they go to

    @property
    def training(self) -> TrainingSpec:
        """How it is trained."""
        return self.spec.training


class TimingJob(_Job):
    """Arms of one experiment to be timed in turn."""

    kind: Literal["time"] = "time"
    specs: list[RunSpec]
    timing: TimingSpec

    @property
    def training(self) -> TrainingSpec:
        """How the first of them is trained; all have as many ranks, on devices of one kind."""
        return self.specs[0].training


Job = TrainingJob | TimingJob
_JOB: TypeAdapter[Job] = TypeAdapter(Job)


def run(job: Job, launcher: str) -> None:
    """Carry out a job and write its rows, with as many ranks as its training has.

    Several ranks are started by ``launcher``; the job then lies beside the rows, on a disk that
    they share. SIGTERM to this process reaches every one of them. Raises ValueError, in one line,
    where ranks cannot be started or one of them fails.
    """
    ranks = job.training.ranks
    if ranks == 1:
        records.write(carry_out(job, Alone()), job.rows)
        return
    asked = Path(job.rows).with_name("job.json")
    records.write_text(job.model_dump_json(indent=1) + "\n", asked)
    threads = job.timing.threads if isinstance(job, TimingJob) else job.training.threads
    program = [sys.executable, "-m", "moebench.lm.job", str(asked)]
    with termination.noticed() as is_to_end:
        start.run(launch.chosen(launcher, threads), ranks, program, is_to_end)


def carry_out(job: Job, communicator: Communicator) -> list[Row]:
    """Do a job on this rank, together with the others; the first rank returns the rows."""
    files = job.tokens
    tokens = Tokens.read(files.train, files.validation, files.facts)
    if isinstance(job, TimingJob):
        return time_arms(job.specs, tokens, job.timing, job.code, communicator)
    return train(
        job.spec,
        tokens,
        checkpoint=Path(job.rows).with_name("checkpoint.pt"),
        code=job.code,
        final=Path(job.weights),
        communicator=communicator,
    )


def communicator_for(device: str) -> str:
    """What ranks talk through, by the device that they compute on."""
    return "nccl" if device != "cpu" and torch.cuda.is_available() else "gloo"


def _main(asked: str) -> None:
    with Ranks() as ranks:
        job = _JOB.validate_json(Path(asked).read_text(encoding="utf-8"))
        wanted, started = job.training.ranks, ranks.place.world_size
        if started != wanted:
            raise ValueError(
                f"the job is for {wanted} ranks and {started} were started; start as many as it "
                "asks for"
            )
        group = ranks.join(communicator_for(job.training.device))
        rows = carry_out(job, group)
        if group.rank == 0:
            records.write(rows, job.rows)


if __name__ == "__main__":
    _main(*sys.argv[1:])
