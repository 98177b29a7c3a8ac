"""Measure the networks of the energy room, alone on the machine."""

from pathlib import Path

from job import job

from moebench import records
from moebench.energy import run
from moebench.spec import EnergySpec

with job(snakemake):
    rows = run.measure(
        EnergySpec(**snakemake.params.spec),
        Path(snakemake.output.rows).with_name("unfinished"),
        code=snakemake.params.code["digest"],
    )
    records.write(rows, snakemake.output.rows)
