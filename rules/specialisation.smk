localrules:
    tabulate_specialisation,
    write_specialisation_findings,


rule tabulate_specialisation:
    input:
        traces=traces_of("specialisation"),
        facts=tokens_of(CONFIG.specialisation.experiment)["facts"],
    output:
        specialisation=room_table(
            "specialisation",
            "specialisation",
            "information on classes of tokens, layer by layer",
        ),
        load=room_table(
            "specialisation", "load", "share of assignments of every expert"
        ),
        shares=room_table(
            "specialisation", "shares", "classes of tokens of every expert"
        ),
        coactivation=room_table(
            "specialisation", "coactivation", "experts that share tokens"
        ),
        passage=table_of("specialisation", "passage"),
        sidecar="results/tables/specialisation.prov.json",
    log:
        "results/logs/tabulate_specialisation.log",
    conda:
        "../envs/draw.yaml"
    params:
        spec=CONFIG.specialisation.model_dump(exclude={"figures", "experiment"}),
        code=sidecar.code(
            "moebench.analysis.specialisation.tabulate",
            "moebench.analysis.specialisation.passage",
        ),
    script:
        "../workflow/scripts/tabulate_specialisation.py"


rule write_specialisation_findings:
    input:
        **{
            name: table_of("specialisation", name)
            for name in ("specialisation", "load", "coactivation", "passage")
        },
    output:
        rst="results/report/specialisation_findings.rst",
        html=report(
            "results/report/specialisation_findings.html",
            caption="../report/page.rst",
            category="Findings",
            labels={"page": "specialisation"},
        ),
        passage=report(
            "results/report/specialisation_passage.html",
            caption="../report/page.rst",
            category="Findings",
            labels={"page": "a passage coloured by expert"},
        ),
        sidecar="results/report/specialisation_findings.prov.json",
    log:
        "results/logs/write_specialisation_findings.log",
    conda:
        "../envs/draw.yaml"
    params:
        code=sidecar.code("moebench.report.specialisation", "moebench.report.passage"),
    script:
        "../workflow/scripts/write_specialisation_findings.py"
