"""Turn the rows of the energy room into its tables."""

from job import job

from moebench import records, tables
from moebench.analysis.energy.tabulate import tabulate_training, tabulate_windows

with job(snakemake):
    rows = records.read(snakemake.input, alike=("device",))
    tables.write(tabulate_windows(rows), snakemake.output.windows)
    tables.write(tabulate_training(rows), snakemake.output.training)
