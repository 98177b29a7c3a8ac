"""Turn the rows of the waterfall into its table."""

import numpy as np
from job import job

from moebench import records, tables
from moebench.analysis.waterfall import tabulate_waterfall

with job(snakemake):
    rows = records.read([snakemake.input.rows])
    table = tabulate_waterfall(rows, np.random.default_rng(0))
    tables.write(table, snakemake.output.table)
