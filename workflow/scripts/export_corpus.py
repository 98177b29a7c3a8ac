"""Write the training and the held-out documents of one corpus."""

from job import job

from moebench.spec import CorpusSpec
from moebench.text.export import CorpusFiles, export

with job(snakemake):
    files = snakemake.output
    export(
        CorpusSpec(**snakemake.params.corpus),
        CorpusFiles(files.train, files.validation, files.manifest),
    )
