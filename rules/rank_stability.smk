# Sorted, because the process of a job reads the config with its keys in another order.
COMPARED = sorted(CONFIG.experiments)


localrules:
    rank_routers,
    write_rank_stability_findings,


rule rank_routers:
    input:
        runs=[table_of(name, "runs") for name in COMPARED],
        summary=[table_of(name, "summary") for name in COMPARED],
        contrasts=[table_of(name, "contrasts") for name in COMPARED],
    output:
        stability=room_table(
            "rank_stability", "rank_stability", "one row per pair of conditions"
        ),
        ranks=room_table(
            "rank_stability", "ranks", "rank of each router in each condition"
        ),
        distribution=table_of("rank_stability", "distribution"),
        sidecar="results/tables/rank_stability.prov.json",
    log:
        "results/logs/rank_routers.log",
    conda:
        "../envs/draw.yaml"
    params:
        experiments=COMPARED,
        code=sidecar.code("moebench.analysis.rank_stability"),
    script:
        "../workflow/scripts/rank_routers.py"


rule write_rank_stability_findings:
    input:
        stability=table_of("rank_stability", "rank_stability"),
        ranks=table_of("rank_stability", "ranks"),
    output:
        rst="results/report/rank_stability_findings.rst",
        html=report(
            "results/report/rank_stability_findings.html",
            caption="../report/page.rst",
            category="Findings",
            labels={"page": "rank stability"},
        ),
        sidecar="results/report/rank_stability_findings.prov.json",
    log:
        "results/logs/write_rank_stability_findings.log",
    conda:
        "../envs/draw.yaml"
    params:
        code=sidecar.code("moebench.report.rank_stability"),
    script:
        "../workflow/scripts/write_rank_stability_findings.py"
