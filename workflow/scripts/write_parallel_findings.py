"""Say in sentences which layout is the fastest where, and how far to trust that."""

import pandas as pd
from job import job

from moebench.report import parallel, rst

with job(snakemake):
    tables = {name: pd.read_csv(path) for name, path in snakemake.input.items()}
    page = parallel.page(tables)
    rst.write(page, snakemake.output.rst, snakemake.output.html)
