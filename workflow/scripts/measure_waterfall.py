"""Train and score the five routers after each repair, alone on the machine."""

from job import job

from moebench import records
from moebench.lm.data import Tokens
from moebench.lm.waterfall import measure
from moebench.spec.waterfall import WaterfallSpec

with job(snakemake):
    files, wanted = snakemake.input, snakemake.params
    rows = measure(
        WaterfallSpec(**wanted.spec),
        wanted.corpus,
        wanted.tokenizer,
        Tokens.read(files.train, files.validation, files.facts),
        code=wanted.code["digest"],
    )
    records.write(rows, snakemake.output.rows)
