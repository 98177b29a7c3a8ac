localrules:
    tabulate_certificates,
    write_certificates_findings,


rule certify_router:
    input:
        unpack(certificate_inputs),
    output:
        rows="results/runs/certificates/{certificate}/rows.jsonl",
        sidecar="results/runs/certificates/{certificate}/rows.prov.json",
    log:
        "results/logs/certify_router/{certificate}.log",
    benchmark:
        "results/benchmarks/certify_router/{certificate}.tsv"
    wildcard_constraints:
        certificate="|".join(map(re.escape, certificates())),
    conda:
        "../envs/measure.yaml"
    threads: lambda w: shared_cores(certificate_run(w).training.threads)
    resources:
        gpu=lambda w: gpu_of(certificate_run(w).training),
    params:
        toys=lambda w: [
            toy.model_dump() for toy in CONFIG.certificates.toys(certificate_run(w))
        ],
        trained=lambda w: certificate_run(w).model_dump(),
        sizes=certificate_sizes(),
        code=lambda w: certificate_code(certificate_run(w)),
    script:
        "../workflow/scripts/certify_router.py"


rule tabulate_certificates:
    input:
        rows=certificate_rows(),
    output:
        certificates=room_table(
            "certificates", "certificates", "what each router looks at"
        ),
        sidecar="results/tables/certificates.prov.json",
    log:
        "results/logs/tabulate_certificates.log",
    conda:
        "../envs/draw.yaml"
    params:
        code=sidecar.code("moebench.analysis.certificates.tabulate"),
    script:
        "../workflow/scripts/tabulate_certificates.py"


rule write_certificates_findings:
    input:
        certificates=table_of("certificates", "certificates"),
    output:
        rst="results/report/certificates_findings.rst",
        html=report(
            "results/report/certificates_findings.html",
            caption="../report/page.rst",
            category="Findings",
            labels={"page": "certificates"},
        ),
        sidecar="results/report/certificates_findings.prov.json",
    log:
        "results/logs/write_certificates_findings.log",
    conda:
        "../envs/draw.yaml"
    params:
        code=sidecar.code("moebench.report.certificates"),
    script:
        "../workflow/scripts/write_certificates_findings.py"
