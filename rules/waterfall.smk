localrules:
    tabulate_waterfall,
    write_waterfall_findings,


rule measure_waterfall:
    input:
        **token_files(CONFIG.corpus, CONFIG.tokenizer),
    output:
        rows="results/runs/waterfall/rows.jsonl",
        sidecar="results/runs/waterfall/rows.prov.json",
    log:
        "results/logs/measure_waterfall.log",
    benchmark:
        "results/benchmarks/measure_waterfall.tsv"
    priority: 100
    conda:
        "../envs/measure.yaml"
    threads: all_cores
    resources:
        gpu=gpu_of(CONFIG.waterfall.training),
    params:
        spec=CONFIG.waterfall.model_dump(exclude={"figures"}),
        corpus=CONFIG.corpus,
        tokenizer=CONFIG.tokenizer,
        code=waterfall_code(),
    script:
        "../workflow/scripts/measure_waterfall.py"


rule tabulate_waterfall:
    input:
        rows="results/runs/waterfall/rows.jsonl",
    output:
        table=room_table("waterfall", "waterfall", "one row per router and repair"),
        sidecar="results/tables/waterfall.prov.json",
    log:
        "results/logs/tabulate_waterfall.log",
    conda:
        "../envs/draw.yaml"
    params:
        code=sidecar.code("moebench.analysis.waterfall"),
    script:
        "../workflow/scripts/tabulate_waterfall.py"


rule write_waterfall_findings:
    input:
        waterfall=table_of("waterfall", "waterfall"),
    output:
        rst="results/report/waterfall_findings.rst",
        html=report(
            "results/report/waterfall_findings.html",
            caption="../report/page.rst",
            category="Findings",
            labels={"page": "waterfall"},
        ),
        sidecar="results/report/waterfall_findings.prov.json",
    log:
        "results/logs/write_waterfall_findings.log",
    conda:
        "../envs/draw.yaml"
    params:
        code=sidecar.code("moebench.report.waterfall"),
    script:
        "../workflow/scripts/write_waterfall_findings.py"
