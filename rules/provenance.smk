localrules:
    write_provenance,


rule write_provenance:
    input:
        [
            f"{figure_file(name, figure)}.json"
            for name, figures in sorted(CONFIG.figures.items())
            for figure in figures
        ],
    output:
        rst="results/report/provenance.rst",
        html=report(
            "results/report/provenance.html",
            caption="../report/page.rst",
            category="Environment",
            labels={"page": "where every figure comes from"},
        ),
        sidecar="results/report/provenance.prov.json",
    log:
        "results/logs/write_provenance.log",
    conda:
        "../envs/draw.yaml"
    params:
        code=sidecar.code("moebench.report.provenance"),
    script:
        "../workflow/scripts/write_provenance.py"
