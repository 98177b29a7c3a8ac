"""Put the published adapters on the axis they belong on, and try what was said of them."""

from job import job

from moebench import published_perft, tables
from moebench.analysis.perft.published import redraw, statements

with job(snakemake):
    published = published_perft.read(snakemake.input.published)
    tables.write(redraw(published), snakemake.output.published)
    tables.write(statements(published), snakemake.output.statements)
