"""Measure what each capacity drops and costs, alone on the machine."""

from job import job

from moebench import records, traces
from moebench.packing.measure import measure
from moebench.spec import CapacitySpec

with job(snakemake):
    files = snakemake.input
    rows = measure(
        CapacitySpec(**snakemake.params.spec),
        traces.read(files.traces[0]) if files.traces else None,
        code=snakemake.params.code["digest"],
    )
    records.write(rows, snakemake.output.rows)
