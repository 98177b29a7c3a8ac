"""Find out what a router looks at, and how much of the future it steals."""

from pathlib import Path

from job import job

from moebench import records
from moebench.lm.certificate.certify import certify
from moebench.lm.data import Tokens
from moebench.spec import RunSpec

with job(snakemake):
    files, wanted = snakemake.input, snakemake.params
    rows = certify(
        [RunSpec(**toy) for toy in wanted.toys],
        (
            RunSpec(**wanted.trained),
            Path(files.weights),
            Tokens.read(files.train, files.validation, files.facts),
        ),
        wanted.sizes,
        name=snakemake.wildcards.certificate,
        code=wanted.code["digest"],
    )
    records.write(rows, snakemake.output.rows)
