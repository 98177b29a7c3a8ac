"""Measure the collectives of one number of ranks, which this job starts."""

from job import job

from moebench.parallel.start import start
from moebench.spec import LinksJob

with job(snakemake):
    start(
        LinksJob(**snakemake.params.spec),
        snakemake.resources.mpi,
        snakemake.output.rows,
        code=snakemake.params.code["digest"],
    )
