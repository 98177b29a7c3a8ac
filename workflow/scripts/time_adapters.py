"""Measure the speed of finetuning, all adapters side by side."""

from pathlib import Path

from job import job

from moebench import records
from moebench.perft.timing import time_adapters
from moebench.spec import AdapterRunSpec, TimingSpec

with job(snakemake):
    rows = time_adapters(
        [AdapterRunSpec(**spec) for spec in snakemake.params.specs],
        Path(snakemake.input.base[0]).parent,
        Path(snakemake.input.train),
        TimingSpec(**snakemake.params.timing),
        code=snakemake.params.code["digest"],
    )
    records.write(rows, snakemake.output.rows)
