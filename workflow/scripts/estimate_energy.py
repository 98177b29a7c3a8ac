"""Estimate energy from declared constants, in a table of its own."""

from job import job

from moebench import tables
from moebench.analysis.energy.estimate import estimate
from moebench.analysis.energy.schemas import ENERGY

with job(snakemake):
    windows = tables.read(snakemake.input.windows, ENERGY)
    tables.write(estimate(windows, snakemake.params.constants), snakemake.output.estimate)
