localrules:
    draw_figure,
    write_findings,
    describe_environment,


rule draw_figure:
    input:
        unpack(figure_tables),
    output:
        svg=report(
            "results/figures/{experiment}_{figure}.svg",
            caption="../report/figure.rst",
            category="Figures",
            subcategory="{experiment}",
            labels={"figure": "{figure}", "format": "svg"},
        ),
        png=report(
            "results/figures/{experiment}_{figure}.png",
            caption="../report/figure.rst",
            category="Figures",
            subcategory="{experiment}",
            labels={"figure": "{figure}", "format": "png"},
        ),
        caption="results/figures/{experiment}_{figure}.rst",
        json="results/figures/{experiment}_{figure}.json",
    log:
        "results/logs/draw_figure/{experiment}_{figure}.log",
    wildcard_constraints:
        experiment="|".join(CONFIG.figures),
    conda:
        "../envs/draw.yaml"
    params:
        figure=drawn_by,
        code=lambda w: sidecar.code(
            "moebench.figures.base", f"moebench.figures.{drawn_by(w)}"
        ),
    script:
        "../workflow/scripts/draw_figure.py"


rule write_findings:
    input:
        summary="results/tables/{experiment}_summary.csv",
        contrasts="results/tables/{experiment}_contrasts.csv",
        hypervolume="results/tables/{experiment}_hypervolume.csv",
        speed_up="results/tables/{experiment}_speed_up.csv",
        curves="results/tables/{experiment}_curves.csv",
        tokens=lambda w: tokens_of(w.experiment)["facts"],
        comparison=lambda w: (
            f"results/tables/{w.experiment}_published.csv"
            if w.experiment in compared()
            else []
        ),
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
        "results/logs/write_findings/{experiment}.log",
    conda:
        "../envs/draw.yaml"
    params:
        code=sidecar.code("moebench.report.findings"),
    script:
        "../workflow/scripts/write_findings.py"


rule describe_environment:
    input:
        all_rows(),
    output:
        rst="results/report/environment.rst",
        html=report(
            "results/report/environment.html",
            caption="../report/page.rst",
            category="Environment",
            labels={"page": "machine, software and settings"},
        ),
        sidecar="results/report/environment.prov.json",
    log:
        "results/logs/describe_environment.log",
    conda:
        "../envs/draw.yaml"
    params:
        code=sidecar.code("moebench.report.settings"),
    script:
        "../workflow/scripts/describe_environment.py"
