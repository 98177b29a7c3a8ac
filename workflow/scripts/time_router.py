from joblog import log_to

from moebench import records
from moebench.lm.data import Tokens
from moebench.lm.timing import time_arms
from moebench.spec import RunSpec, TimingSpec

with log_to(snakemake.log[0]):
    files = snakemake.input
    rows = time_arms(
        [RunSpec(**spec) for spec in snakemake.params.specs],
        Tokens.read(files.train, files.validation, files.facts),
        TimingSpec(**snakemake.params.timing),
        code=snakemake.params.code,
    )
    records.write(rows, snakemake.output.rows)
