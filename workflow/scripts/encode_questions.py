"""Turn questions into token ids, by the tokenizer of the base model."""

from pathlib import Path

from job import job

from moebench.questions import encoders
from moebench.questions.encode import EncodedFiles, Limits, encode
from moebench.questions.export import QuestionFiles

with job(snakemake):
    given, files, params = snakemake.input, snakemake.output, snakemake.params
    if params.source == "embedded":
        encoder = encoders.of_run(*given.tokenizer)
    else:
        encoder = encoders.of_folder(Path(given.tokenizer).parent)
    encode(
        QuestionFiles(given.train, given.held_out, given.manifest),
        encoder,
        Limits(cutoff=params.cutoff, num_eval=params.num_eval),
        EncodedFiles(files.train, files.held_out, files.facts),
    )
