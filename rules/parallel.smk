SWEEPS = CONFIG.parallel.jobs
LINKS = CONFIG.parallel.link_jobs


localrules:
    tabulate_parallel,
    map_regimes,
    write_parallel_findings,


rule sweep_layouts:
    output:
        rows="results/runs/parallel/layouts/ranks={ranks}/rows.jsonl",
        sidecar="results/runs/parallel/layouts/ranks={ranks}/rows.prov.json",
    log:
        "results/logs/sweep_layouts/ranks={ranks}.log",
    benchmark:
        "results/benchmarks/sweep_layouts/ranks={ranks}.tsv"
    wildcard_constraints:
        ranks=r"\d+",
    priority: 100
    conda:
        "../envs/measure.yaml"
    threads: all_cores
    resources:
        mpi=CONFIG.parallel.launcher,
        tasks=lambda w: int(w.ranks),
        cpus_per_task=CONFIG.parallel.threads,
        gpu=gpus_of_ranks,
        tasks_per_gpu=0,
    params:
        spec=lambda w: SWEEPS[int(w.ranks)].model_dump(),
        code=lambda w: sidecar.code(*SWEEPS[int(w.ranks)].modules),
    script:
        "../workflow/scripts/sweep_layouts.py"


rule probe_links:
    output:
        rows="results/runs/parallel/links/ranks={ranks}/rows.jsonl",
        sidecar="results/runs/parallel/links/ranks={ranks}/rows.prov.json",
    log:
        "results/logs/probe_links/ranks={ranks}.log",
    benchmark:
        "results/benchmarks/probe_links/ranks={ranks}.tsv"
    wildcard_constraints:
        ranks=r"\d+",
    priority: 100
    conda:
        "../envs/measure.yaml"
    threads: all_cores
    resources:
        mpi=CONFIG.parallel.launcher,
        tasks=lambda w: int(w.ranks),
        cpus_per_task=CONFIG.parallel.threads,
        gpu=gpus_of_ranks,
        tasks_per_gpu=0,
    params:
        spec=lambda w: LINKS[int(w.ranks)].model_dump(),
        code=lambda w: sidecar.code(*LINKS[int(w.ranks)].modules),
    script:
        "../workflow/scripts/probe_links.py"


rule tabulate_parallel:
    input:
        layouts=layout_rows(),
        links=link_rows(),
    output:
        parallel=room_table("parallel", "parallel", "one row per cell, with intervals"),
        links=room_table(
            "parallel", "links", "latency and bandwidth of each collective"
        ),
        model=room_table(
            "parallel", "model", "what a call costs, and how well that predicts"
        ),
        sidecar="results/tables/parallel.prov.json",
    log:
        "results/logs/tabulate_parallel.log",
    conda:
        "../envs/draw.yaml"
    params:
        held_out_share=CONFIG.parallel.held_out_share,
        code=sidecar.code(
            "moebench.analysis.parallel.tabulate", "moebench.analysis.parallel.model"
        ),
    script:
        "../workflow/scripts/tabulate_parallel.py"


rule map_regimes:
    input:
        parallel=table_of("parallel", "parallel"),
        links=table_of("parallel", "links"),
        model=table_of("parallel", "model"),
        published=resource("published/parallel_durations.csv"),
    output:
        regimes=room_table("parallel", "regimes", "the fastest layout at each size"),
        borders=table_of("parallel", "borders"),
        predictions=room_table(
            "parallel", "predictions", "predicted: more ranks, other links"
        ),
        published=room_table("parallel", "published", "beside the published durations"),
        sidecar="results/tables/parallel_regimes.prov.json",
    log:
        "results/logs/map_regimes.log",
    conda:
        "../envs/draw.yaml"
    params:
        links={name: link.model_dump() for name, link in CONFIG.parallel.links.items()},
        code=sidecar.code(
            "moebench.analysis.parallel.regimes",
            "moebench.analysis.parallel.borders",
            "moebench.analysis.parallel.scaling",
            "moebench.analysis.parallel.comparison",
            "moebench.published_parallel",
        ),
    script:
        "../workflow/scripts/map_regimes.py"


rule write_parallel_findings:
    input:
        **{
            name: table_of("parallel", name)
            for name in (
                *("parallel", "links", "model"),
                *("regimes", "borders", "predictions", "published"),
            )
        },
    output:
        rst="results/report/parallel_findings.rst",
        html=report(
            "results/report/parallel_findings.html",
            caption="../report/page.rst",
            category="Findings",
            labels={"page": "parallel"},
        ),
        sidecar="results/report/parallel_findings.prov.json",
    log:
        "results/logs/write_parallel_findings.log",
    conda:
        "../envs/draw.yaml"
    params:
        code=sidecar.code("moebench.report.parallel"),
    script:
        "../workflow/scripts/write_parallel_findings.py"
