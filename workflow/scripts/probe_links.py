"""Measure the collectives of one number of ranks, which this job starts."""

from job import job

from moebench.parallel import job as jobs
from moebench.spec import LinksJob

with job(snakemake):
    jobs.start(
        LinksJob(**snakemake.params.spec),
        snakemake.resources.mpi,
        snakemake.output.rows,
        code=snakemake.params.code["digest"],
    )
