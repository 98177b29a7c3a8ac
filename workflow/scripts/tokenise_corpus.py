"""Turn one corpus into token ids, by one tokenizer."""

from job import job

from moebench.text.export import CorpusFiles
from moebench.text.tokenise import TokenFiles, tokenise

with job(snakemake):
    corpus, tokens = snakemake.input, snakemake.output
    tokenise(
        snakemake.wildcards.tokenizer,
        snakemake.params.options,
        CorpusFiles(corpus.train, corpus.validation, corpus.manifest),
        TokenFiles(tokens.train, tokens.validation, tokens.facts, tokens.tokenizer),
        snakemake.params.seq_len,
    )
