"""Measure the training speed of all arms of one experiment, side by side."""

from job import job

from moebench.lm.job import TimingJob, TokenFiles, run
from moebench.spec import RunSpec, TimingSpec

with job(snakemake):
    files = snakemake.input
    asked = TimingJob(
        specs=[RunSpec(**spec) for spec in snakemake.params.specs],
        timing=TimingSpec(**snakemake.params.timing),
        tokens=TokenFiles(train=files.train, validation=files.validation, facts=files.facts),
        code=snakemake.params.code["digest"],
        rows=snakemake.output.rows,
    )
    run(asked, launcher=snakemake.resources.get("mpi", ""))
