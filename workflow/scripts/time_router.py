"""Measure the training speed of all arms of one experiment, side by side."""

from job import job

from moebench import records
from moebench.lm.data import Tokens
from moebench.lm.timing import time_arms
from moebench.spec import RunSpec, TimingSpec

with job(snakemake):
    files = snakemake.input
    rows = time_arms(
        [RunSpec(**spec) for spec in snakemake.params.specs],
        Tokens.read(files.train, files.validation, files.facts),
        TimingSpec(**snakemake.params.timing),
        code=snakemake.params.code["digest"],
    )
    records.write(rows, snakemake.output.rows)
