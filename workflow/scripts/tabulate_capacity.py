"""Turn the rows of the capacity room into its table."""

import numpy as np
from job import job

from moebench import records, tables
from moebench.analysis.capacity.tabulate import tabulate_capacity

with job(snakemake):
    rows = records.read([snakemake.input.rows])
    table = tabulate_capacity(rows, np.random.default_rng(0))
    tables.write(table, snakemake.output.table)
