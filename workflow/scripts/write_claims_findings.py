"""Say which claims the data bear out, and list all of them."""

from job import job

from moebench import records, tables
from moebench.analysis.claims.schemas import CLAIMS
from moebench.report import claims, rst

with job(snakemake):
    table = tables.read(snakemake.input.claims, CLAIMS)
    parts = claims.summary(table)
    records.write_text("\n".join(parts), snakemake.output.rst)
    rst.write([*parts, *claims.entries(table)], snakemake.output.ledger, snakemake.output.html)
