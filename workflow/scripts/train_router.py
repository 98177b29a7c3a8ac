from pathlib import Path

from joblog import log_to

from moebench import records
from moebench.lm.data import Tokens
from moebench.lm.train import train
from moebench.spec import RunSpec

with log_to(snakemake.log[0]):
    files = snakemake.input
    rows = train(
        RunSpec(**snakemake.params.spec),
        Tokens.read(files.train, files.validation, files.facts),
        checkpoint=Path(snakemake.output.rows).with_name("checkpoint.pt"),
        code=snakemake.params.code,
    )
    records.write(rows, snakemake.output.rows)
