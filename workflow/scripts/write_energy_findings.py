"""Say in sentences what the energy room found, here and in what was published."""

import pandas as pd
from job import job

from moebench.report import energy, rst

with job(snakemake):
    tables = {name: pd.read_csv(path) for name, path in snakemake.input.items() if path}
    rst.write(energy.page(tables), snakemake.output.rst, snakemake.output.html)
