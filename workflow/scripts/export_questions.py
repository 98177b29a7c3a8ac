"""Write the training and the held-out questions of one source."""

from job import job

from moebench.questions.export import QuestionFiles, export
from moebench.spec import QuestionsSpec

with job(snakemake):
    files = snakemake.output
    export(
        QuestionsSpec(**snakemake.params.questions),
        QuestionFiles(files.train, files.held_out, files.manifest),
    )
