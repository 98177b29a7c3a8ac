from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

from moebench import registry, spec

min_version("9.27")


REPOSITORY = Path(workflow.current_basedir)


configfile: str(REPOSITORY / "config" / "config.yaml")


report: "report/workflow.rst"


include: "rules/inputs.smk"
include: "rules/perft_inputs.smk"
include: "rules/waterfall_inputs.smk"
include: "rules/certify_inputs.smk"
include: "rules/cluster_inputs.smk"
include: "rules/weights_inputs.smk"


try:
    CONFIG = spec.parse(config)
    check_folder()
except ValueError as error:
    raise WorkflowError(str(error)) from None

RUNS = spec.expand(CONFIG)
SOURCES = spec.sources(CONFIG, RUNS)


# Who carries out the jobs is known only now, when the first is about to begin. Claims wait until
# now as well: to look through them takes a second, which a finished run need not spend.
onstart:
    try:
        if CONFIG.claims:
            check_claims()
        if workflow.local_exec:
            check_machine(CONFIG)
            # Each job that ends leaves the limiter one more timer, which fires every second: after
            # a hundred jobs they take a fifth of a core from what is being timed. It is there to
            # spare queues, and here is none.
            workflow.scheduler.job_rate_limiter = None
    except (ValueError, OSError) as error:
        raise WorkflowError(str(error)) from None


onsuccess:
    discard_weights()


wildcard_constraints:
    experiment="|".join(CONFIG.experiments),
    corpus="|".join(CONFIG.corpora),
    tokenizer=r"[a-z0-9_]+",
    run=r"[^/]+_seed=\d+",
    figure="|".join(
        sorted(
            name.removeprefix(f"{room}_")
            for name in registry.names("figures")
            for room in ["", *CONFIG.rooms]
        )
    ),


localrules:
    all,
    advise,


include: "rules/data.smk"
include: "rules/routing.smk"
include: "rules/tables.smk"
include: "rules/figures.smk"
include: "rules/provenance.smk"
include: "rules/advice.smk"


if certificates():

    include: "rules/certify.smk"


if CONFIG.energy:

    include: "rules/energy.smk"
    include: "rules/energy_analysis.smk"


if CONFIG.capacity:

    include: "rules/capacity.smk"


if CONFIG.specialisation:

    include: "rules/specialisation.smk"


if CONFIG.parallel:

    include: "rules/parallel.smk"


if CONFIG.perft:

    include: "rules/perft.smk"


if "rank_stability" in CONFIG.rooms:

    include: "rules/rank_stability.smk"


if CONFIG.waterfall:

    include: "rules/waterfall.smk"


if CONFIG.claims:

    include: "rules/claims.smk"


rule all:
    default_target: True
    input:
        [
            f"{figure_file(name, figure)}.{ending}"
            for name, figures in CONFIG.figures.items()
            for figure in figures
            for ending in ("svg", "png", "json")
        ],
        [
            f"results/tables/{experiment}_summary.csv"
            for experiment in CONFIG.experiments
        ],
        energy_tables(),
        [f"results/report/{name}_findings.html" for name in CONFIG.figures],
        [table_of("parallel", "published")] if CONFIG.parallel else [],
        [
            table_of(name, name)
            for name in ("capacity", "certificates")
            if getattr(CONFIG, name)
        ],
        "results/report/environment.html",
        "results/report/provenance.html",
        "results/advice.html",
