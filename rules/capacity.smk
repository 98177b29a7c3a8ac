localrules:
    tabulate_capacity,
    write_capacity_findings,


rule measure_capacity:
    input:
        traces=[
            traces_of("capacity")
            for name in CONFIG.capacity.routings
            if name == "traces"
        ],
    output:
        rows="results/runs/capacity/rows.jsonl",
        sidecar="results/runs/capacity/rows.prov.json",
    log:
        "results/logs/measure_capacity.log",
    benchmark:
        "results/benchmarks/measure_capacity.tsv"
    priority: 100
    conda:
        "../envs/measure.yaml"
    threads: all_cores
    resources:
        gpu=gpu_of(CONFIG.capacity),
    params:
        spec=CONFIG.capacity.model_dump(exclude={"figures"}),
        code=sidecar.code("moebench.packing.measure"),
    script:
        "../workflow/scripts/measure_capacity.py"


rule tabulate_capacity:
    input:
        rows="results/runs/capacity/rows.jsonl",
    output:
        table=report(
            "results/tables/capacity.csv",
            caption="../report/table.rst",
            category="Tables",
            subcategory="capacity",
            labels={"table": "one row per routing, capacity factor and drop policy"},
        ),
        sidecar="results/tables/capacity.prov.json",
    log:
        "results/logs/tabulate_capacity.log",
    conda:
        "../envs/draw.yaml"
    params:
        code=sidecar.code("moebench.analysis.capacity.tabulate"),
    script:
        "../workflow/scripts/tabulate_capacity.py"


rule write_capacity_findings:
    input:
        capacity="results/tables/capacity.csv",
        published=resource("published/capacity.csv"),
    output:
        rst="results/report/capacity_findings.rst",
        html=report(
            "results/report/capacity_findings.html",
            caption="../report/page.rst",
            category="Findings",
            labels={"page": "capacity"},
        ),
        sidecar="results/report/capacity_findings.prov.json",
    log:
        "results/logs/write_capacity_findings.log",
    conda:
        "../envs/draw.yaml"
    params:
        code=sidecar.code("moebench.report.capacity"),
    script:
        "../workflow/scripts/write_capacity_findings.py"
