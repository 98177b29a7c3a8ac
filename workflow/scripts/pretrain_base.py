"""Train the small base model that adapters are put on."""

from pathlib import Path

from job import job

from moebench import records
from moebench.lm.data import Tokens
from moebench.perft.pretrain import pretrain
from moebench.spec import PretrainingRunSpec

with job(snakemake):
    files = snakemake.input
    folder = Path(snakemake.output.config).parent
    rows = pretrain(
        PretrainingRunSpec(**snakemake.params.spec),
        Tokens.read(files.train, files.validation, files.facts),
        folder,
        checkpoint=folder / "checkpoint.pt",
        code=snakemake.params.code["digest"],
    )
    records.write(rows, snakemake.output.rows)
