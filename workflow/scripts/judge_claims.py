"""Put every claim to the test, on published data and on the tables of this run."""

from pathlib import Path

from job import job

from moebench import published_files, tables
from moebench.analysis.claims import entries, known_tables, ledger

with job(snakemake):
    files, wanted = snakemake.input, snakemake.params
    published_files.check(files.sums, files.published)
    found = entries.read(files.claims)
    schemas = known_tables.of_run({*wanted.experiments, *found.experiments})
    published = {Path(path).stem: tables.read_plain(path) for path in files.published}
    here = {Path(path).stem: tables.read(path, schemas[Path(path).stem]) for path in files.here}
    tables.write(ledger.ledger(found, published, here, drawn=wanted.drawn), snakemake.output.claims)
