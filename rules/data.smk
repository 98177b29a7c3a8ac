localrules:
    export_corpus,
    tokenise_corpus,


rule export_corpus:
    input:
        lambda w: text_files(w.corpus),
    output:
        train="results/corpora/{corpus}/train.jsonl",
        validation="results/corpora/{corpus}/validation.jsonl",
        manifest="results/corpora/{corpus}/manifest.json",
        sidecar="results/corpora/{corpus}/corpus.prov.json",
    log:
        "results/logs/export_corpus/{corpus}.log",
    priority: 200
    conda:
        "../envs/draw.yaml"
    params:
        corpus=lambda w: CONFIG.corpora[w.corpus].model_dump(),
        code=lambda w: sidecar.code(
            "moebench.text.export",
            f"moebench.corpora.{CONFIG.corpora[w.corpus].source}",
        ),
    script:
        "../workflow/scripts/export_corpus.py"


rule tokenise_corpus:
    input:
        train="results/corpora/{corpus}/train.jsonl",
        validation="results/corpora/{corpus}/validation.jsonl",
        manifest="results/corpora/{corpus}/manifest.json",
        given=lambda w: tokenizer_files(w.tokenizer),
    output:
        train="results/corpora/{corpus}/{tokenizer}/train.npy",
        validation="results/corpora/{corpus}/{tokenizer}/validation.npy",
        facts="results/corpora/{corpus}/{tokenizer}/tokens.json",
        tokenizer="results/corpora/{corpus}/{tokenizer}/tokenizer.json",
        sidecar="results/corpora/{corpus}/{tokenizer}/tokens.prov.json",
    log:
        "results/logs/tokenise_corpus/{corpus}_{tokenizer}.log",
    priority: 200
    conda:
        "../envs/draw.yaml"
    params:
        options=lambda w: CONFIG.tokenizers.get(w.tokenizer, {}),
        seq_len=lambda w: longest_window(w.corpus),
        code=lambda w: sidecar.code(
            "moebench.text.tokenise", f"moebench.tokenizers.{w.tokenizer}"
        ),
    script:
        "../workflow/scripts/tokenise_corpus.py"
