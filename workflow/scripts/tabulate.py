"""Turn the rows of one experiment into its tables."""

from job import job

from moebench import records, tables
from moebench.analysis.certificates import gate
from moebench.analysis.experiment import tabulate
from moebench.analysis.runs import as_of
from moebench.spec import StatisticsSpec

with job(snakemake):
    files, wanted = snakemake.input, snakemake.params.certificates
    rows = as_of(records.read([*files.runs, files.timing]), snakemake.wildcards.experiment)
    vouched = records.read(files.certificates)
    made = tabulate(
        rows,
        StatisticsSpec(**snakemake.params.statistics),
        gate.vouching(vouched, wanted) if wanted else None,
    )
    for name, table in made.items():
        tables.write(table, getattr(snakemake.output, name))
