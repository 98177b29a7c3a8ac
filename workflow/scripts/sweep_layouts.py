"""Measure all layouts at one number of ranks, which this job starts."""

from job import job

from moebench.parallel.start import start
from moebench.spec import SweepJob

with job(snakemake):
    start(
        SweepJob(**snakemake.params.spec),
        snakemake.resources.mpi,
        snakemake.output.rows,
        code=snakemake.params.code["digest"],
    )
