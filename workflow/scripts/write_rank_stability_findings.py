"""Say in sentences whether the routers keep their order."""

import pandas as pd
from job import job

from moebench.report import rank_stability, rst

with job(snakemake):
    files = snakemake.input
    page = rank_stability.page(pd.read_csv(files.stability), pd.read_csv(files.ranks))
    rst.write(page, snakemake.output.rst, snakemake.output.html)
