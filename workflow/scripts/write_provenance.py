"""Say where every figure comes from, file by file."""

from pathlib import Path

from job import job

from moebench.report import provenance, rst

with job(snakemake):
    parts = provenance.page([Path(path) for path in snakemake.input])
    rst.write(parts, snakemake.output.rst, snakemake.output.html)
