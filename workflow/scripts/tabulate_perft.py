"""Turn the rows of adapters into their tables."""

import numpy as np
from job import job

from moebench import records, tables
from moebench.analysis.perft.contrasts import contrasts
from moebench.analysis.perft.tabulate import curves, summarise, tabulate_runs
from moebench.spec import StatisticsSpec

with job(snakemake):
    rows = records.read(snakemake.input)
    tables.write(tabulate_runs(rows), snakemake.output.runs)
    tables.write(summarise(rows, np.random.default_rng(0)), snakemake.output.summary)
    tables.write(curves(rows), snakemake.output.curves)
    tables.write(
        contrasts(rows, StatisticsSpec(**snakemake.params.statistics)), snakemake.output.contrasts
    )
