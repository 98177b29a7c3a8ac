"""Say in sentences which adapter was worth its parameters."""

import json
from pathlib import Path

from job import job

from moebench import records, tables
from moebench.analysis.perft import schemas
from moebench.report import perft, rst

with job(snakemake):
    files = snakemake.input
    page = perft.page(
        tables.read(files.summary, schemas.SUMMARY),
        tables.read(files.contrasts, schemas.CONTRASTS),
        tables.read(files.statements, schemas.STATEMENTS),
        json.loads(Path(files.questions).read_text(encoding="utf-8")),
        records.read([files.base] if files.base else [], kinds=["final"]),
    )
    rst.write(page, snakemake.output.rst, snakemake.output.html)
