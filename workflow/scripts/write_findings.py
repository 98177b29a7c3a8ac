"""Say in sentences what one experiment found."""

import json
from pathlib import Path

import pandas as pd
from joblog import log_to

from moebench import sidecar
from moebench.report import findings, rst

with log_to(snakemake.log[0]):
    files = dict(snakemake.input.items())
    tokens = json.loads(Path(files.pop("tokens")).read_text(encoding="utf-8"))
    tables = {name: pd.read_csv(path) for name, path in files.items()}
    page = findings.page(snakemake.wildcards.experiment, tokens=tokens, **tables)
    rst.write(page, snakemake.output.rst, snakemake.output.html)
    sidecar.write(
        snakemake.output.sidecar,
        rule=snakemake.rule,
        inputs=snakemake.input,
        outputs=[snakemake.output.rst, snakemake.output.html],
        params=dict(snakemake.params.items()),
    )
