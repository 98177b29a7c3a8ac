include: "claims_inputs.smk"


if workflow.is_main_process:
    try:
        claimed_tables(None)
    except (ValueError, OSError) as error:
        raise WorkflowError(str(error)) from None


localrules:
    judge_claims,
    write_claims_findings,


rule judge_claims:
    input:
        unpack(claimed_tables),
        claims=claims_file(),
        sums=SUMS,
    output:
        claims=room_table(
            "claims", "claims", "one row per claim and data, with numbers"
        ),
        sidecar="results/tables/claims.prov.json",
    log:
        "results/logs/judge_claims.log",
    conda:
        "../envs/draw.yaml"
    params:
        experiments=sorted(CONFIG.experiments),
        drawn=[
            Path(figure_file(name, figure)).name
            for name, figures in sorted(CONFIG.figures.items())
            for figure in figures
        ],
        code=sidecar.code(
            "moebench.analysis.claims.ledger",
            "moebench.analysis.claims.known_tables",
            "moebench.published_files",
        ),
    script:
        "../workflow/scripts/judge_claims.py"


rule write_claims_findings:
    input:
        claims=table_of("claims", "claims"),
    output:
        rst="results/report/claims_findings.rst",
        ledger="results/report/claims_ledger.rst",
        html=report(
            "results/report/claims_findings.html",
            caption="../report/page.rst",
            category="Findings",
            labels={"page": "claims"},
        ),
        sidecar="results/report/claims_findings.prov.json",
    log:
        "results/logs/write_claims_findings.log",
    conda:
        "../envs/draw.yaml"
    params:
        code=sidecar.code("moebench.report.claims"),
    script:
        "../workflow/scripts/write_claims_findings.py"
