localrules:
    tabulate_energy,
    estimate_energy,


rule measure_energy:
    output:
        rows="results/runs/energy/rows.jsonl",
        sidecar="results/runs/energy/rows.prov.json",
    log:
        "results/logs/measure_energy.log",
    benchmark:
        "results/benchmarks/measure_energy.tsv"
    priority: 100
    conda:
        "../envs/measure.yaml"
    threads: all_cores
    resources:
        gpu=gpu_of(CONFIG.energy),
    params:
        # What is drawn decides nothing of what is measured.
        spec=CONFIG.energy.model_dump(exclude={"figures", "estimate"}),
        code=energy_code(),
    script:
        "../workflow/scripts/measure_energy.py"


rule tabulate_energy:
    input:
        rows="results/runs/energy/rows.jsonl",
    output:
        windows=report(
            "results/tables/energy.csv",
            caption="../report/table.rst",
            category="Tables",
            subcategory="energy",
            labels={"table": "one row per window and boundary"},
        ),
        training=report(
            "results/tables/energy_training.csv",
            caption="../report/table.rst",
            category="Tables",
            subcategory="energy",
            labels={"table": "training, epoch by epoch"},
        ),
        sidecar="results/tables/energy.prov.json",
    log:
        "results/logs/tabulate_energy.log",
    conda:
        "../envs/draw.yaml"
    params:
        code=sidecar.code("moebench.analysis.energy.tabulate"),
    script:
        "../workflow/scripts/tabulate_energy.py"


rule estimate_energy:
    input:
        windows="results/tables/energy.csv",
    output:
        estimate=report(
            "results/tables/energy_estimate.csv",
            caption="../report/table.rst",
            category="Tables",
            subcategory="energy",
            labels={"table": "estimate from declared constants"},
        ),
        sidecar="results/tables/energy_estimate.prov.json",
    log:
        "results/logs/estimate_energy.log",
    conda:
        "../envs/draw.yaml"
    params:
        constants=energy_constants(),
        code=sidecar.code("moebench.analysis.energy.estimate"),
    script:
        "../workflow/scripts/estimate_energy.py"
