"""Say with which settings and on which machine the rows were measured."""

from job import job

from moebench import records
from moebench.report import rst, settings

with job(snakemake):
    rows = [row for path in snakemake.input for row in records.read([path], alike=())]
    rst.write(settings.page(rows), snakemake.output.rst, snakemake.output.html)
