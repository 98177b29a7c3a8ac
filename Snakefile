from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

from moebench import spec

min_version("9.27")


configfile: str(Path(workflow.current_basedir) / "config" / "config.yaml")


report: "report/workflow.rst"


include: "rules/inputs.smk"


try:
    CONFIG = spec.parse(config)
    check_machine(CONFIG)
except ValueError as error:
    raise WorkflowError(str(error)) from None

RUNS = spec.expand(CONFIG)


wildcard_constraints:
    experiment="|".join(CONFIG.experiments),
    corpus="|".join(CONFIG.corpora),
    run=r"[^/]+_seed=\d+",


localrules:
    all,


include: "rules/data.smk"
include: "rules/routing.smk"
include: "rules/tables.smk"
include: "rules/figures.smk"


rule all:
    default_target: True
    input:
        [
            f"results/figures/{experiment}_{figure}.{ending}"
            for experiment, wanted in CONFIG.experiments.items()
            for figure in wanted.figures
            for ending in ("svg", "png", "json")
        ],
