"""Say in sentences what the experts have learnt, and show a passage coloured by expert."""

import pandas as pd
from job import job

from moebench import records
from moebench.report import passage, rst, specialisation

with job(snakemake):
    tables = {
        name: pd.read_csv(path, keep_default_na=False, na_values=[""])
        for name, path in snakemake.input.items()
    }
    page = specialisation.page(tables)
    rst.write(page, snakemake.output.rst, snakemake.output.html)
    records.write_text(passage.page(tables["passage"]), snakemake.output.passage)
