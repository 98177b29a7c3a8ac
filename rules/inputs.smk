"""What rules depend on: from wildcards to inputs, params and threads; and the report's items."""

import os
import shlex

from moebench import machine, sidecar
from moebench.corpora.base import CorpusError
from moebench.energy import readiness
from moebench.parallel import launch, watch
from moebench.text import export
from moebench.tokenizers.base import Tokenizer


def check_folder():
    """Refuse a folder of results that cannot be written to."""
    folder = Path("results")
    place = folder if folder.exists() else Path(".")
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        raise ValueError(
            f"{place} is not a folder that can be written to; free it, or run with "
            "--directory elsewhere"
        )


def check_machine(config):
    """Refuse, before any job runs, what this machine cannot do; other hosts are not looked at."""
    machine.check_threads(config.timing.threads, "timing.threads")
    for threads in sorted({run.training.threads for run in RUNS.values()}):
        machine.check_threads(threads, "training.threads")
    if any(run.training.ranks > 1 for run in RUNS.values()):
        watch.found(shlex.split(launch.chosen(config.launcher, 1))[0])
    if config.capacity:
        machine.check_threads(config.capacity.threads, "capacity.threads")
    if config.parallel:
        machine.check_threads(config.parallel.threads, "parallel.threads")
        watch.found(shlex.split(config.parallel.launcher)[0])
    if config.energy is not None:
        readiness.check(config.energy)
    if config.perft:
        for key, part in (
            ("finetuning", config.perft.finetuning),
            ("base.training", config.perft.base.training),
        ):
            machine.check_threads(part.threads, f"perft.{key}.threads")
    if config.waterfall:
        machine.check_threads(
            config.waterfall.training.threads, "waterfall.training.threads"
        )


def all_cores(wildcards):
    """Every core this run was given, so that a timing job runs alone."""
    return workflow.cores


def gpus_of_ranks(wildcards):
    """One GPU for each rank, where ranks compute on GPUs."""
    return int(wildcards.ranks) if CONFIG.parallel.communicator == "nccl" else 0


def shared_cores(threads):
    """Cores that a training job claims, so that as many run at once as there are cores.

    More cores may be given than this machine has; then each job claims its share of them.
    """
    if not workflow.local_exec:
        return threads
    return max(threads, workflow.cores * threads // machine.num_cores())


def runs_of(experiment):
    """Specs of an experiment's runs, by the name of the run."""
    return {
        name.partition("/")[2]: run
        for name, run in RUNS.items()
        if run.experiment == experiment
    }


def rows_of(experiment):
    """Rows of an experiment's runs, some of which another one may have trained."""
    names = [f"{experiment}/{run}" for run in runs_of(experiment)]
    return [f"results/runs/{SOURCES[name]}/rows.jsonl" for name in names]


def arms_of(experiment):
    """One run of every arm of an experiment: the ones of its first seed."""
    runs = runs_of(experiment).values()
    first = next(iter(runs)).seed
    return [run for run in runs if run.seed == first]


def text_files(corpus):
    """The user's own files that a corpus is read from."""
    try:
        return export.load(CONFIG.corpora[corpus]).files()
    except CorpusError as error:
        raise WorkflowError(str(error)) from None


def tokenizer_files(tokenizer):
    """The user's own files that a tokenizer is read from."""
    given = CONFIG.tokenizers.get(tokenizer, {})
    try:
        return registry.load(Tokenizer, tokenizer).files(**given)
    except ValueError as error:
        raise WorkflowError(str(error)) from None


def longest_window(corpus):
    """Tokens in the longest window that an experiment or room cuts from a corpus."""
    wanted = [run.training.seq_len for run in RUNS.values() if run.corpus == corpus]
    base = perft_pretraining(CONFIG)
    if base is not None and base.corpus == corpus:
        wanted.append(base.training.seq_len)
    return max(wanted)


def tokens_of(experiment):
    """The tokenised corpus of an experiment."""
    run = arms_of(experiment)[0]
    return token_files(run.corpus, run.tokenizer)


def token_files(corpus, tokenizer):
    """The files of a tokenised corpus."""
    folder = f"results/corpora/{corpus}/{tokenizer}"
    return {
        "train": f"{folder}/train.npy",
        "validation": f"{folder}/validation.npy",
        "facts": f"{folder}/tokens.json",
    }


def code_of(entry, runs, *more):
    """The code that decides the outcome of runs: an entry point, and their plug-ins."""
    plugins = {
        plugin
        for run in runs
        if not run.is_baseline
        for plugin in (
            f"moebench.routers.{run.router}",
            f"moebench.gates.{run.model.gate}",
            f"moebench.dispatch.{run.model.dispatch}",
        )
    }
    return sidecar.code(entry, *plugins, *more)


def traced_of(experiment):
    """Specs of the runs of an experiment whose routers are traced, by the path of their folder."""
    names = [SOURCES[name] for name in spec.traced(RUNS, experiment)]
    return {f"results/runs/{name}": RUNS[name] for name in names}


def traces_of(room):
    """The traces that a room reads."""
    return f"results/runs/{getattr(CONFIG, room).experiment}/traces/traces.npz"


def all_rows():
    """Every file of rows: the finished runs, and what was timed."""
    trained = [
        f"results/runs/{name}/rows.jsonl" for name in dict.fromkeys(SOURCES.values())
    ]
    timed = [
        f"results/runs/{experiment}/timing/rows.jsonl"
        for experiment in CONFIG.experiments
    ]
    powered = ["results/runs/energy/rows.jsonl"] if CONFIG.energy else []
    packed = ["results/runs/capacity/rows.jsonl"] if CONFIG.capacity else []
    timed += powered + packed
    return (
        trained
        + timed
        + layout_rows()
        + link_rows()
        + perft_rows()
        + certificate_rows()
        + waterfall_rows()
    )


def layout_rows():
    """Rows of the layouts that all sweeps ask for, one file for each number of ranks."""
    return [
        f"results/runs/parallel/layouts/ranks={ranks}/rows.jsonl"
        for ranks in (CONFIG.parallel.jobs if CONFIG.parallel else ())
    ]


def link_rows():
    """Rows of the collectives, one file for each number of ranks."""
    return [
        f"results/runs/parallel/links/ranks={ranks}/rows.jsonl"
        for ranks in (CONFIG.parallel.link_jobs if CONFIG.parallel else ())
    ]


# The table that has the name of its experiment or room and nothing else.
MAIN_TABLES = (
    "runs",
    "parallel",
    "energy",
    "capacity",
    "specialisation",
    "perft",
    "rank_stability",
    "waterfall",
    "claims",
    "certificates",
)


def figure_tables(wildcards):
    """The tables that a figure draws."""
    wanted = registry.constant("figures", drawn_by(wildcards), "columns")
    return {name: table_of(wildcards.experiment, name) for name in wanted}


def figure_file(name, figure):
    """Path of a figure without its ending; a figure of one room alone has the room's name."""
    return f"results/figures/{name}_{figure.removeprefix(f'{name}_')}"


def drawn_by(wildcards):
    """The plug-in behind a figure's file: the room's own one, or one that any may have."""
    own = f"{wildcards.experiment}_{wildcards.figure}"
    return own if own in CONFIG.figures[wildcards.experiment] else wildcards.figure


def table_of(experiment, name):
    """Path of a table of an experiment or room."""
    ending = "" if name in MAIN_TABLES else f"_{name}"
    return f"results/tables/{experiment}{ending}.csv"


def room_table(room, name, title):
    """A table of a room, as an item of the report."""
    return report(
        table_of(room, name),
        caption="../report/table.rst",
        category="Tables",
        subcategory=room,
        labels={"table": title},
    )


def compared():
    """Experiments that are compared with published numbers."""
    return [name for name, wanted in CONFIG.experiments.items() if wanted.published]


def published_of(experiment):
    """The published numbers that an experiment is compared with."""
    return resource(f"published/{CONFIG.experiments[experiment].published}.csv")


def resource(name):
    """A file that comes with the repository."""
    # Relative, so that a repository that was moved does not look like another one.
    return os.path.relpath(REPOSITORY / "resources" / name)


def brought_home():
    """Energy rows that were measured on other machines, one file for each."""
    found = (REPOSITORY / "resources" / "measured").glob("*/energy.jsonl.gz")
    return [os.path.relpath(path) for path in sorted(found)]


def estimates(room):
    """The table of estimated energy, where one is asked for."""
    asked = getattr(CONFIG, room).estimate
    return [] if asked is None else f"results/tables/{room}_estimate.csv"


def table(name, title):
    """A table of an experiment, as an item of the report."""
    return report(
        f"results/tables/{name}",
        caption="../report/table.rst",
        category="Tables",
        subcategory="{experiment}",
        labels={"table": title},
    )


def energy_code():
    """The code that decides what the energy room measures."""
    kernels = [f"moebench.kernels.{kernel}" for kernel in CONFIG.energy.kernels]
    meters = [
        f"moebench.meters.{meter}"
        for meter in CONFIG.energy.meters or registry.names("meters")
    ]
    return sidecar.code(
        "moebench.energy.run", "moebench.energy.__main__", *kernels, *meters
    )


def energy_constants():
    """The declared constants of an estimate."""
    asked = CONFIG.energy.estimate
    return {} if asked is None else asked.model_dump()


def energy_tables():
    """The tables of the energy room that are wanted for themselves."""
    if CONFIG.energy is None:
        return []
    names = ["energy", "energy_training"]
    if CONFIG.energy.estimate is not None:
        names.append("energy_estimate")
    return [f"results/tables/{name}.csv" for name in names]
