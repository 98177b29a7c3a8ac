FINETUNED = CONFIG.perft.cells(CONFIG.seeds)
BASE_FILES = perft_base(CONFIG)


wildcard_constraints:
    arm="|".join(map(re.escape, FINETUNED)),


localrules:
    export_questions,
    encode_questions,
    fetch_base_model,
    tabulate_perft,
    redraw_published_perft,
    write_perft_findings,


rule export_questions:
    input:
        question_files(CONFIG),
    output:
        train="results/perft/questions/train.jsonl",
        held_out="results/perft/questions/held_out.jsonl",
        manifest="results/perft/questions/manifest.json",
        sidecar="results/perft/questions/questions.prov.json",
    log:
        "results/logs/export_questions/perft.log",
    priority: 50
    conda:
        "../envs/draw.yaml"
    params:
        questions=CONFIG.perft.questions.model_dump(),
        code=sidecar.code(
            "moebench.questions.export",
            f"moebench.questions.sources.{CONFIG.perft.questions.source}",
        ),
    script:
        "../workflow/scripts/export_questions.py"


# Before any base is trained: a question that cannot be asked stops the run early.
rule encode_questions:
    input:
        train="results/perft/questions/train.jsonl",
        held_out="results/perft/questions/held_out.jsonl",
        manifest="results/perft/questions/manifest.json",
        tokenizer=BASE_FILES["tokenizer"],
    output:
        train="results/perft/questions/encoded/train.jsonl",
        held_out="results/perft/questions/encoded/held_out.jsonl",
        facts="results/perft/questions/encoded/facts.json",
        sidecar="results/perft/questions/encoded/encoded.prov.json",
    log:
        "results/logs/encode_questions/perft.log",
    priority: 50
    conda:
        "../envs/measure.yaml"
    params:
        source=CONFIG.perft.base.source,
        cutoff=CONFIG.perft.finetuning.cutoff,
        num_eval=CONFIG.perft.num_eval,
        code=sidecar.code("moebench.questions.encode"),
    script:
        "../workflow/scripts/encode_questions.py"


rule pretrain_base:
    input:
        unpack(lambda w: perft_text(CONFIG)),
    output:
        config="results/perft/base/embedded/config.json",
        weights="results/perft/base/embedded/model.safetensors",
        rows="results/perft/base/embedded/rows.jsonl",
        sidecar="results/perft/base/embedded/base.prov.json",
    log:
        "results/logs/pretrain_base/perft.log",
    benchmark:
        "results/benchmarks/pretrain_base/perft.tsv"
    conda:
        "../envs/measure.yaml"
    threads: lambda w: shared_cores(CONFIG.perft.base.training.threads)
    resources:
        gpu=gpu_of(CONFIG.perft.base.training),
    params:
        spec=CONFIG.perft.base.run(CONFIG.corpus, CONFIG.tokenizer).model_dump(),
        code=sidecar.code("moebench.perft.pretrain"),
    script:
        "../workflow/scripts/pretrain_base.py"


# Only config.json and the list of files are outputs: Snakemake removes outputs of a job that
# failed, and gigabytes of weights are to be gone on from.
rule fetch_base_model:
    output:
        config="results/perft/base/hub-{commit}/config.json",
        tokenizer="results/perft/base/hub-{commit}/tokenizer.json",
        files="results/perft/base/hub-{commit}/files.txt",
        sidecar="results/perft/base/hub-{commit}/base.prov.json",
    log:
        "results/logs/fetch_base_model/{commit}.log",
    conda:
        "../envs/measure.yaml"
    params:
        name=CONFIG.perft.base.name,
        revision=CONFIG.perft.base.revision,
        code=sidecar.code("moebench.perft.hub"),
    script:
        "../workflow/scripts/fetch_base_model.py"


rule finetune_adapter:
    input:
        base=BASE_FILES["model"],
        train="results/perft/questions/encoded/train.jsonl",
        held_out="results/perft/questions/encoded/held_out.jsonl",
    output:
        rows="results/runs/perft/{arm}/rows.jsonl",
        adapters=[
            f"results/runs/perft/{{arm}}/adapter_seed={seed}.safetensors"
            for seed in CONFIG.perft.seeds or CONFIG.seeds
        ],
        sidecar="results/runs/perft/{arm}/rows.prov.json",
    log:
        "results/logs/finetune_adapter/{arm}.log",
    benchmark:
        "results/benchmarks/finetune_adapter/{arm}.tsv"
    conda:
        "../envs/measure.yaml"
    threads: finetuning_threads
    resources:
        gpu=gpu_of(CONFIG.perft.finetuning),
    params:
        specs=lambda w: [spec.model_dump() for spec in FINETUNED[w.arm]],
        code=lambda w: sidecar.code(*adapter_code([FINETUNED[w.arm][0]], "cell")),
    script:
        "../workflow/scripts/finetune_adapter.py"


rule time_adapters:
    input:
        base=BASE_FILES["model"],
        train="results/perft/questions/encoded/train.jsonl",
    output:
        rows="results/runs/perft/timing/rows.jsonl",
        sidecar="results/runs/perft/timing/rows.prov.json",
    log:
        "results/logs/time_adapters/perft.log",
    benchmark:
        "results/benchmarks/time_adapters/perft.tsv"
    priority: 100
    conda:
        "../envs/measure.yaml"
    threads: all_cores
    resources:
        gpu=gpu_of(CONFIG.perft.finetuning),
    params:
        specs=[runs[0].model_dump() for runs in FINETUNED.values()],
        timing=CONFIG.timing.model_dump(),
        code=sidecar.code(
            *adapter_code([runs[0] for runs in FINETUNED.values()], "timing")
        ),
    script:
        "../workflow/scripts/time_adapters.py"


rule tabulate_perft:
    input:
        runs=[f"results/runs/perft/{arm}/rows.jsonl" for arm in FINETUNED],
        timing="results/runs/perft/timing/rows.jsonl",
    output:
        runs=table("{experiment}.csv", "one row per run"),
        summary=table("{experiment}_summary.csv", "one row per adapter, with intervals"),
        curves="results/tables/{experiment}_curves.csv",
        contrasts=table("{experiment}_contrasts.csv", "differences between adapters"),
        sidecar="results/tables/{experiment}.prov.json",
    log:
        "results/logs/tabulate_perft/{experiment}.log",
    wildcard_constraints:
        experiment="perft",
    conda:
        "../envs/draw.yaml"
    params:
        statistics=CONFIG.statistics.model_dump(),
        code=sidecar.code(
            "moebench.analysis.perft.tabulate", "moebench.analysis.perft.contrasts"
        ),
    script:
        "../workflow/scripts/tabulate_perft.py"


rule redraw_published_perft:
    input:
        published=resource("published/perft.csv"),
    output:
        published=table("{experiment}_published.csv", "the published adapters"),
        statements=table("{experiment}_statements.csv", "published statements, tried"),
        sidecar="results/tables/{experiment}_published.prov.json",
    log:
        "results/logs/redraw_published_perft/{experiment}.log",
    wildcard_constraints:
        experiment="perft",
    conda:
        "../envs/draw.yaml"
    params:
        code=sidecar.code("moebench.analysis.perft.published"),
    script:
        "../workflow/scripts/redraw_published_perft.py"


rule write_perft_findings:
    input:
        summary="results/tables/{experiment}_summary.csv",
        contrasts="results/tables/{experiment}_contrasts.csv",
        statements="results/tables/{experiment}_statements.csv",
        questions="results/perft/questions/encoded/facts.json",
        base=BASE_FILES["rows"],
    output:
        rst="results/report/{experiment}_findings.rst",
        html=report(
            "results/report/{experiment}_findings.html",
            caption="../report/page.rst",
            category="Findings",
            labels={"page": "{experiment}"},
        ),
        sidecar="results/report/{experiment}_findings.prov.json",
    log:
        "results/logs/write_perft_findings/{experiment}.log",
    wildcard_constraints:
        experiment="perft",
    conda:
        "../envs/draw.yaml"
    params:
        code=sidecar.code("moebench.report.perft"),
    script:
        "../workflow/scripts/write_perft_findings.py"
