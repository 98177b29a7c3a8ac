include: "advice_inputs.smk"


localrules:
    write_advice,
    advise,


rule write_advice:
    input:
        tables=advice_tables(),
    output:
        text="results/advice.txt",
        json="results/advice.json",
        rst="results/advice.rst",
        evidence="results/advice_evidence.rst",
        html=report(
            "results/advice.html",
            caption="../report/page.rst",
            category="Advice",
            labels={"page": "what to choose"},
        ),
        sidecar="results/advice.prov.json",
    log:
        "results/logs/write_advice.log",
    conda:
        "../envs/draw.yaml"
    params:
        experiment=advised_experiment(),
        code=sidecar.code(
            "moebench.report.advice.questions", "moebench.report.advice.written"
        ),
    script:
        "../workflow/scripts/write_advice.py"


# Without an output it is never up to date, so that asking again prints again.
rule advise:
    input:
        text="results/advice.txt",
    log:
        "results/logs/advise.log",
    conda:
        "../envs/draw.yaml"
    script:
        "../workflow/scripts/advise.py"
