"""Say in sentences what capacity drops and costs."""

import pandas as pd
from job import job

from moebench.report import capacity, rst

with job(snakemake):
    tables = {name: pd.read_csv(path) for name, path in snakemake.input.items()}
    page = capacity.page(tables["capacity"], tables["published"])
    rst.write(page, snakemake.output.rst, snakemake.output.html)
