rule train_router:
    input:
        unpack(lambda w: tokens_of(w.experiment)),
    output:
        rows="results/runs/{experiment}/{run}/rows.jsonl",
        weights="results/runs/{experiment}/{run}/weights.pt",
        sidecar="results/runs/{experiment}/{run}/rows.prov.json",
    log:
        "results/logs/train_router/{experiment}/{run}.log",
    benchmark:
        "results/benchmarks/train_router/{experiment}/{run}.tsv"
    conda:
        "../envs/measure.yaml"
    threads: lambda w: ranks_threads(run_of(w).training)
    resources:
        mpi=lambda w: of_ranks(run_of(w).training, CONFIG.launcher),
        tasks=lambda w: of_ranks(run_of(w).training, run_of(w).training.ranks),
        cpus_per_task=lambda w: of_ranks(run_of(w).training, run_of(w).training.threads),
        gpu=lambda w: gpus_of_training(run_of(w).training),
        tasks_per_gpu=lambda w: of_ranks(run_of(w).training, 0),
    params:
        spec=lambda w: run_of(w).model_dump(),
        code=lambda w: code_of_ranks("moebench.lm.train", [run_of(w)]),
    script:
        "../workflow/scripts/train_router.py"


rule trace_routing:
    input:
        unpack(lambda w: tokens_of(w.experiment)),
        weights=lambda w: [f"{folder}/weights.pt" for folder in traced_of(w.experiment)],
    output:
        traces="results/runs/{experiment}/traces/traces.npz",
        sidecar="results/runs/{experiment}/traces/traces.prov.json",
    log:
        "results/logs/trace_routing/{experiment}.log",
    benchmark:
        "results/benchmarks/trace_routing/{experiment}.tsv"
    conda:
        "../envs/measure.yaml"
    threads: lambda w: shared_cores(training_of(w).threads)
    resources:
        gpu=lambda w: gpu_of(training_of(w)),
    params:
        specs=lambda w: [run.model_dump() for run in traced_of(w.experiment).values()],
        num_tokens=CONFIG.tracing.num_tokens,
        code=lambda w: code_of("moebench.lm.tracing", traced_of(w.experiment).values()),
    script:
        "../workflow/scripts/trace_routing.py"


rule time_router:
    input:
        unpack(lambda w: tokens_of(w.experiment)),
    output:
        rows="results/runs/{experiment}/timing/rows.jsonl",
        sidecar="results/runs/{experiment}/timing/rows.prov.json",
    log:
        "results/logs/time_router/{experiment}.log",
    benchmark:
        "results/benchmarks/time_router/{experiment}.tsv"
    priority: 100
    conda:
        "../envs/measure.yaml"
    threads: all_cores
    resources:
        mpi=lambda w: of_ranks(training_of(w), CONFIG.launcher),
        tasks=lambda w: of_ranks(training_of(w), training_of(w).ranks),
        cpus_per_task=lambda w: of_ranks(training_of(w), CONFIG.timing.threads),
        gpu=lambda w: gpus_of_training(training_of(w)),
        tasks_per_gpu=lambda w: of_ranks(training_of(w), 0),
    params:
        specs=lambda w: [arm.model_dump() for arm in arms_of(w.experiment)],
        timing=CONFIG.timing.model_dump(),
        code=lambda w: code_of_ranks("moebench.lm.timing", arms_of(w.experiment)),
    script:
        "../workflow/scripts/time_router.py"
