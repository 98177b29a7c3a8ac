"""Draw one figure from its tables."""

from joblog import log_to

from moebench.figures import base

with log_to(snakemake.log[0]):
    base.publish(
        snakemake.wildcards.figure,
        dict(snakemake.input.items()),
        dict(snakemake.output.items()),
        rule=snakemake.rule,
        params=dict(snakemake.params.items()),
    )
