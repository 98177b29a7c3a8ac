"""Turn the rows of one experiment into its tables."""

import numpy as np
from job import job

from moebench import records, tables
from moebench.analysis.contrasts import contrasts
from moebench.analysis.runs import as_of, curves, loads, tabulate_runs
from moebench.analysis.summary import summarise
from moebench.spec import StatisticsSpec

with job(snakemake):
    rows = as_of(records.read(snakemake.input), snakemake.wildcards.experiment)
    tables.write(tabulate_runs(rows), snakemake.output.runs)
    tables.write(summarise(rows, np.random.default_rng(0)), snakemake.output.summary)
    tables.write(curves(rows), snakemake.output.curves)
    tables.write(loads(rows), snakemake.output.loads)
    tables.write(
        contrasts(rows, StatisticsSpec(**snakemake.params.statistics)), snakemake.output.contrasts
    )
