localrules:
    tabulate,
    compare_published,


rule tabulate:
    input:
        runs=lambda w: rows_of(w.experiment),
        timing="results/runs/{experiment}/timing/rows.jsonl",
        certificates=lambda w: certificate_rows(certificate_digests(w.experiment)),
    output:
        runs=table("{experiment}.csv", "one row per run"),
        summary=table("{experiment}_summary.csv", "one row per arm, with intervals"),
        curves="results/tables/{experiment}_curves.csv",
        loads="results/tables/{experiment}_loads.csv",
        contrasts=table("{experiment}_contrasts.csv", "differences between arms"),
        attainment="results/tables/{experiment}_attainment.csv",
        hypervolume=table(
            "{experiment}_hypervolume.csv", "what the arms open up, and what each adds"
        ),
        speed_up=table("{experiment}_speed_up.csv", "effective speed-up against dense"),
        sidecar="results/tables/{experiment}.prov.json",
    log:
        "results/logs/tabulate/{experiment}.log",
    conda:
        "../envs/draw.yaml"
    params:
        statistics=CONFIG.statistics.model_dump(),
        certificates=lambda w: certificate_digests(w.experiment),
        code=sidecar.code("moebench.analysis.experiment"),
    script:
        "../workflow/scripts/tabulate.py"


rule compare_published:
    input:
        summary="results/tables/{experiment}_summary.csv",
        contrasts="results/tables/{experiment}_contrasts.csv",
        published=lambda w: published_of(w.experiment),
    output:
        comparison=table(
            "{experiment}_published.csv", "the published order and this one"
        ),
        sidecar="results/tables/{experiment}_published.prov.json",
    log:
        "results/logs/compare_published/{experiment}.log",
    conda:
        "../envs/draw.yaml"
    params:
        code=sidecar.code("moebench.analysis.ranking", "moebench.published"),
    script:
        "../workflow/scripts/compare_published.py"
