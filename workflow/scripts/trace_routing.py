"""Trace the routers of one experiment on held-out text, untrained and trained."""

from pathlib import Path

from job import job

from moebench import traces
from moebench.lm.data import Tokens
from moebench.lm.tracing import trace_runs
from moebench.spec import RunSpec

with job(snakemake):
    files = snakemake.input
    found = trace_runs(
        [RunSpec(**spec) for spec in snakemake.params.specs],
        [Path(file) for file in files.weights],
        Tokens.read(files.train, files.validation, files.facts),
        snakemake.params.num_tokens,
    )
    traces.write(found, snakemake.output.traces)
