"""Measure one sweep of layouts at one number of ranks, which this job starts."""

from job import job

from moebench.parallel import job as jobs
from moebench.spec import SweepJob

with job(snakemake):
    jobs.start(
        SweepJob(**snakemake.params.spec),
        snakemake.resources.mpi,
        snakemake.output.rows,
        code=snakemake.params.code["digest"],
    )
