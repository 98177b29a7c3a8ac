"""Train one model and score it."""

from pathlib import Path

from job import job

from moebench import records
from moebench.lm.data import Tokens
from moebench.lm.train import train
from moebench.spec import RunSpec

with job(snakemake):
    files = snakemake.input
    rows = train(
        RunSpec(**snakemake.params.spec),
        Tokens.read(files.train, files.validation, files.facts),
        checkpoint=Path(snakemake.output.rows).with_name("checkpoint.pt"),
        code=snakemake.params.code["digest"],
        final=Path(snakemake.output.weights),
    )
    records.write(rows, snakemake.output.rows)
