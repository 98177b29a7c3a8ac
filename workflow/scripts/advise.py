"""Print the advice."""

from pathlib import Path

from job import job

with job(snakemake):
    print(Path(snakemake.input.text).read_text(encoding="utf-8"))
