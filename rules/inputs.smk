"""What rules depend on: the functions that turn wildcards into inputs, params and threads."""

import os

from moebench import machine
from moebench.provenance import code_digest


def check_machine(config):
    """Refuse, before any job runs, what would fail after hours: folder and threads."""
    folder = Path("results")
    place = folder if folder.exists() else Path(".")
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        raise ValueError(
            f"{place.resolve()} is not a folder that can be written to; free it, or run "
            "with --directory elsewhere"
        )
    if workflow.executor_plugin is not None and workflow.local_exec and not workflow.dryrun:
        machine.check_threads(config.timing.threads, "timing.threads")
        machine.check_threads(config.training.threads, "training.threads")


def all_cores(wildcards):
    """Every core this run was given, so that a timing job runs alone."""
    return workflow.cores


def runs_of(experiment):
    """Names of an experiment's runs, and their specs."""
    return {
        name.partition("/")[2]: run for name, run in RUNS.items() if run.experiment == experiment
    }


def arms_of(experiment):
    """One run of every arm of an experiment: the ones of its first seed."""
    runs = runs_of(experiment)
    first = next(iter(runs.values())).seed
    return [run for run in runs.values() if run.seed == first]


def tokens_of(run):
    """The three files of the tokenised corpus of a run."""
    folder = f"results/corpora/{run.corpus}/{run.tokenizer}"
    return {
        "train": f"{folder}/train.npy",
        "validation": f"{folder}/validation.npy",
        "facts": f"{folder}/tokens.json",
    }


def code_of(entry, *runs):
    """Digest of the code that decides the outcome of runs: an entry point, and their plug-ins."""
    plugins = {
        plugin
        for run in runs
        if not run.is_baseline
        for plugin in (f"moebench.routers.{run.router}", f"moebench.dispatch.{run.model.dispatch}")
    }
    return code_digest(entry, *plugins)
