localrules:
    analyse_energy,
    analyse_published_energy,
    write_energy_findings,


rule analyse_energy:
    input:
        windows="results/tables/{experiment}.csv",
    output:
        cells=table("{experiment}_cells.csv", "one row per network, batch and type"),
        crossover=table("{experiment}_crossover.csv", "crossovers, with intervals"),
        gains=table("{experiment}_gains.csv", "what is mixture, what is kernel"),
        factors=table("{experiment}_factors.csv", "one number of the shape at a time"),
        equal_loss=table("{experiment}_equal_loss.csv", "costs at equal held-out loss"),
        sidecar="results/tables/{experiment}_cells.prov.json",
    log:
        "results/logs/analyse_energy/{experiment}.log",
    wildcard_constraints:
        experiment="energy",
    conda:
        "../envs/draw.yaml"
    params:
        code=sidecar.code(
            "moebench.analysis.energy.cells",
            "moebench.analysis.energy.crossovers",
            "moebench.analysis.energy.doubles",
            "moebench.analysis.energy.equal_loss",
            "moebench.analysis.energy.factors",
            "moebench.analysis.energy.ladder",
        ),
    script:
        "../workflow/scripts/analyse_energy.py"


rule analyse_published_energy:
    input:
        windows=resource("published/energy.csv"),
        training=resource("published/energy_training.csv"),
        measured=brought_home(),
    output:
        published=table("{experiment}_published.csv", "the published crossover"),
        training="results/tables/{experiment}_published_training.csv",
        elsewhere=table("{experiment}_elsewhere.csv", "measured by others, or before"),
        sidecar="results/tables/{experiment}_published.prov.json",
    log:
        "results/logs/analyse_published_energy/{experiment}.log",
    wildcard_constraints:
        experiment="energy",
    conda:
        "../envs/draw.yaml"
    params:
        code=sidecar.code(
            "moebench.analysis.energy.published",
            "moebench.analysis.energy.elsewhere",
            "moebench.published_energy",
        ),
    script:
        "../workflow/scripts/analyse_published_energy.py"


rule write_energy_findings:
    input:
        cells="results/tables/{experiment}_cells.csv",
        crossover="results/tables/{experiment}_crossover.csv",
        gains="results/tables/{experiment}_gains.csv",
        factors="results/tables/{experiment}_factors.csv",
        equal_loss="results/tables/{experiment}_equal_loss.csv",
        training="results/tables/{experiment}_training.csv",
        published="results/tables/{experiment}_published.csv",
        elsewhere="results/tables/{experiment}_elsewhere.csv",
        estimate=lambda w: estimates(w.experiment),
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
        "results/logs/write_energy_findings/{experiment}.log",
    wildcard_constraints:
        experiment="energy",
    conda:
        "../envs/draw.yaml"
    params:
        code=sidecar.code("moebench.report.energy"),
    script:
        "../workflow/scripts/write_energy_findings.py"
