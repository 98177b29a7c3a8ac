rule train_router:
    input:
        unpack(lambda w: tokens_of(RUNS[f"{w.experiment}/{w.run}"])),
    output:
        rows="results/runs/{experiment}/{run}/rows.jsonl",
    log:
        "results/logs/train_router/{experiment}/{run}.log",
    benchmark:
        "results/benchmarks/train_router/{experiment}/{run}.tsv"
    conda:
        "../envs/measure.yaml"
    threads: CONFIG.training.threads
    params:
        spec=lambda w: RUNS[f"{w.experiment}/{w.run}"].model_dump(),
        code=lambda w: code_of("moebench.lm.train", RUNS[f"{w.experiment}/{w.run}"]),
    script:
        "../workflow/scripts/train_router.py"


rule time_router:
    input:
        unpack(lambda w: tokens_of(arms_of(w.experiment)[0])),
    output:
        rows="results/runs/{experiment}/timing/rows.jsonl",
    log:
        "results/logs/time_router/{experiment}.log",
    benchmark:
        "results/benchmarks/time_router/{experiment}.tsv"
    priority: 100
    conda:
        "../envs/measure.yaml"
    threads: all_cores
    params:
        specs=lambda w: [arm.model_dump() for arm in arms_of(w.experiment)],
        timing=CONFIG.timing.model_dump(),
        code=lambda w: code_of("moebench.lm.timing", *arms_of(w.experiment)),
    script:
        "../workflow/scripts/time_router.py"
