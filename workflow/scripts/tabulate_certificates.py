"""Turn the readings of all certificates into their table."""

from job import job

from moebench import records, tables
from moebench.analysis.certificates.tabulate import tabulate_certificates

with job(snakemake):
    rows = records.read(snakemake.input.rows, alike=())
    tables.write(tabulate_certificates(rows), snakemake.output.certificates)
