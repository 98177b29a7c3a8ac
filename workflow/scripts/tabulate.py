"""Turn the rows of one experiment into its tables."""

import numpy as np
from job import job

from moebench import records, tables
from moebench.analysis.certificates import gate
from moebench.analysis.contrasts import contrasts
from moebench.analysis.runs import as_of, curves, loads, tabulate_runs
from moebench.analysis.summary import summarise
from moebench.spec import StatisticsSpec

with job(snakemake):
    rows = as_of(
        records.read([*snakemake.input.runs, snakemake.input.timing]),
        snakemake.wildcards.experiment,
    )
    vouched, wanted = records.read(snakemake.input.certificates), snakemake.params.certificates
    certificates = gate.vouching(vouched, wanted) if wanted else None
    tables.write(tabulate_runs(rows), snakemake.output.runs)
    summary = summarise(rows, np.random.default_rng(0), certificates)
    tables.write(summary, snakemake.output.summary)
    tables.write(curves(rows), snakemake.output.curves)
    tables.write(loads(rows), snakemake.output.loads)
    tables.write(
        contrasts(rows, StatisticsSpec(**snakemake.params.statistics)), snakemake.output.contrasts
    )
