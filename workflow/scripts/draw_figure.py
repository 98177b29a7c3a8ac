"""Draw one figure from its tables."""

from job import job

from moebench.figures import base

with job(snakemake):
    base.publish(
        snakemake.params.figure,
        dict(snakemake.input.items()),
        dict(snakemake.output.items()),
        rule=snakemake.rule,
        params=dict(snakemake.params.items()),
    )
