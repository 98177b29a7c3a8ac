"""Say in sentences what one experiment found."""

import json
from pathlib import Path

import pandas as pd
from job import job

from moebench.report import findings, rst

with job(snakemake):
    files = dict(snakemake.input.items())
    tokens = json.loads(Path(files.pop("tokens")).read_text(encoding="utf-8"))
    tables = {name: pd.read_csv(path) for name, path in files.items() if path}
    page = findings.page(snakemake.wildcards.experiment, tables, tokens)
    rst.write(page, snakemake.output.rst, snakemake.output.html)
