"""Set the published order of routers beside the one found here."""

from job import job

from moebench import published, tables
from moebench.analysis import schemas
from moebench.analysis.ranking import compare_published

with job(snakemake):
    comparison = compare_published(
        tables.read(snakemake.input.summary, schemas.SUMMARY),
        published.read(snakemake.input.published),
        tables.read(snakemake.input.contrasts, schemas.CONTRASTS),
    )
    tables.write(comparison, snakemake.output.comparison)
