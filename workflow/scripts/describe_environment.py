"""Say with which settings and on which machine the rows were measured."""

from joblog import log_to

from moebench import records, sidecar
from moebench.report import rst, settings

with log_to(snakemake.log[0]):
    rows = [
        row for path in snakemake.input for row in records.read([path], ["final", "timed_step"])
    ]
    rst.write(settings.page(rows), snakemake.output.rst, snakemake.output.html)
    sidecar.write(
        snakemake.output.sidecar,
        rule=snakemake.rule,
        inputs=snakemake.input,
        outputs=[snakemake.output.rst, snakemake.output.html],
        params=dict(snakemake.params.items()),
    )
