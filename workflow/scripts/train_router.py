"""Train one model and score it, on as many ranks as its spec has."""

from job import job

from moebench.lm.job import TokenFiles, TrainingJob, run
from moebench.spec import RunSpec

with job(snakemake):
    files = snakemake.input
    asked = TrainingJob(
        spec=RunSpec(**snakemake.params.spec),
        tokens=TokenFiles(train=files.train, validation=files.validation, facts=files.facts),
        code=snakemake.params.code["digest"],
        rows=snakemake.output.rows,
        weights=snakemake.output.weights,
    )
    run(asked, launcher=snakemake.resources.get("mpi", ""))
