"""What rules depend on: from wildcards to inputs, params and threads; and the report's items."""

import os
import re

from moebench import machine, registry, sidecar
from moebench.corpora.base import CorpusError
from moebench.questions import export as question_export
from moebench.questions.question import QuestionError
from moebench.text import export


def check_machine(config):
    """Refuse, before any job runs, what would fail after hours: folder and threads."""
    folder = Path("results")
    place = folder if folder.exists() else Path(".")
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        raise ValueError(
            f"{place} is not a folder that can be written to; free it, or run with "
            "--directory elsewhere"
        )
    if (
        workflow.executor_plugin is not None
        and workflow.local_exec
        and not workflow.dryrun
    ):
        machine.check_threads(config.timing.threads, "timing.threads")
        machine.check_threads(config.training.threads, "training.threads")
        if config.perft:
            for key, part in (
                ("finetuning", config.perft.finetuning),
                ("base.training", config.perft.base.training),
            ):
                machine.check_threads(part.threads, f"perft.{key}.threads")


def all_cores(wildcards):
    """Every core this run was given, so that a timing job runs alone."""
    return workflow.cores


def training_threads(wildcards):
    """Cores that the training of a router claims."""
    return shared_cores(CONFIG.training.threads)


def shared_cores(threads):
    """Cores that a training job claims, so that as many run at once as there are cores.

    More cores may be given than this machine has; then each job claims its share of them.
    """
    if not workflow.local_exec:
        return threads
    return max(threads, workflow.cores * threads // machine.num_cores())


def finetuning_threads(wildcards):
    """Cores that the finetuning of an adapter claims: all, where jobs would share one GPU."""
    finetuning = CONFIG.perft.finetuning
    if finetuning.device == "cuda" and workflow.local_exec:
        return workflow.cores
    return shared_cores(finetuning.threads)


def runs_of(experiment):
    """Specs of an experiment's runs, by the name of the run."""
    return {
        name.partition("/")[2]: run
        for name, run in RUNS.items()
        if run.experiment == experiment
    }


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


def code_of(entry, runs):
    """The code that decides the outcome of runs: an entry point, and their plug-ins."""
    plugins = {
        plugin
        for run in runs
        if not run.is_baseline
        for plugin in (
            f"moebench.routers.{run.router}",
            f"moebench.dispatch.{run.model.dispatch}",
        )
    }
    return sidecar.code(entry, *plugins)


def all_rows():
    """Every file of rows: the finished runs, and what was timed."""
    trained = [f"results/runs/{name}/rows.jsonl" for name in RUNS]
    timed = [
        f"results/runs/{experiment}/timing/rows.jsonl"
        for experiment in CONFIG.experiments
    ]
    return trained + timed + perft_rows()


def perft_pretraining(config):
    """How the PERFT room's base is pretrained; None where it is not, or there is no such room."""
    if config.perft is None or config.perft.base.source != "embedded":
        return None
    return config.perft.base.run(config.corpus, config.tokenizer)


def perft_text(config):
    """The tokenised text that the PERFT room's base is pretrained on."""
    base = perft_pretraining(config)
    return token_files(base.corpus, base.tokenizer) if base else {}


def perft_base(config):
    """Files of the PERFT room's base: the model's, the tokenizer's, rows of its training if any."""
    base = config.perft.base
    if base.source == "embedded":
        run, folder = perft_pretraining(config), "results/perft/base/embedded"
        text = f"results/corpora/{run.corpus}"
        return {
            "model": [f"{folder}/config.json", f"{folder}/model.safetensors"],
            "tokenizer": [
                f"{text}/{run.tokenizer}/tokens.json",
                f"{text}/train.jsonl",
            ],
            "rows": f"{folder}/rows.jsonl",
        }
    if base.source == "hub":
        folder = f"results/perft/base/hub-{base.revision}"
        model = [f"{folder}/config.json", f"{folder}/files.txt"]
        return {"model": model, "tokenizer": f"{folder}/tokenizer.json", "rows": []}
    folder = Path(base.path)
    if not (folder / "config.json").is_file():
        raise WorkflowError(
            f"perft.base.path: {folder} holds no config.json; name a folder with a model "
            "in Hugging Face format"
        )
    weights = sorted(map(str, folder.glob("*.safetensors")))
    return {
        "model": [f"{folder}/config.json", *weights],
        "tokenizer": f"{folder}/tokenizer.json",
        "rows": [],
    }


def perft_rows():
    """Rows of the PERFT room: its base, its adapters, and what was timed."""
    if not CONFIG.perft:
        return []
    base = perft_base(CONFIG)["rows"]
    arms = [*CONFIG.perft.cells(CONFIG.seeds), "timing"]
    return ([base] if base else []) + [
        f"results/runs/perft/{arm}/rows.jsonl" for arm in arms
    ]


def question_files(config):
    """The user's own files that questions are read from."""
    try:
        return question_export.load(config.perft.questions).files()
    except QuestionError as error:
        raise WorkflowError(str(error)) from None


def adapter_code(specs, entry):
    """The modules that decide the outcome of finetuning: an entry point, and its plug-ins."""
    variants = dict.fromkeys(spec.adapter.variant for spec in specs)
    plugins = [f"moebench.perft.adapters.{variant}" for variant in variants]
    return [f"moebench.perft.{entry}", *plugins]


# The table that has the name of its experiment or room and nothing else.
MAIN_TABLES = ("runs", "perft")


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


def compared():
    """Experiments that are compared with published numbers."""
    return [name for name, wanted in CONFIG.experiments.items() if wanted.published]


def published_of(experiment):
    """The published numbers that an experiment is compared with."""
    return published_table(CONFIG.experiments[experiment].published)


def published_table(name):
    """A file of published numbers."""
    # Relative, so that a repository that was moved does not look like another one.
    return os.path.relpath(REPOSITORY / "resources" / "published" / f"{name}.csv")


def table(name, title):
    """A table of an experiment, as an item of the report."""
    return report(
        f"results/tables/{name}",
        caption="../report/table.rst",
        category="Tables",
        subcategory="{experiment}",
        labels={"table": title},
    )
