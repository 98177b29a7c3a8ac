"""What jobs ask a cluster for."""


def gpu_of(part):
    """GPUs that a part of the config wants: one where it names CUDA, else none.

    Under `device: auto` a job takes what it finds, and a cluster shows it a GPU only if asked.
    """
    return int(part.device == "cuda")


def run_of(wildcards):
    """Spec of the run that a job trains."""
    return RUNS[f"{wildcards.experiment}/{wildcards.run}"]


def training_of(wildcards):
    """How the runs of an experiment are trained, as far as it is one for all of them."""
    return arms_of(wildcards.experiment)[0].training


def gpus_of_training(training):
    """GPUs of a training: one for each rank, where the config names CUDA."""
    return gpu_of(training) * training.ranks


def of_ranks(training, value):
    """What is asked for where a training has several ranks; one rank asks for nothing special."""
    return value if training.ranks > 1 else None


def ranks_threads(training):
    """Cores that all ranks of a training claim."""
    return shared_cores(training.threads * training.ranks)


def code_of_ranks(entry, runs):
    """The code that decides the outcome of runs, with what their ranks talk through."""
    if runs[0].training.ranks == 1:
        return code_of(entry, runs)
    talk = [f"moebench.parallel.communicators.{name}" for name in ("gloo", "nccl")]
    return code_of(entry, runs, *talk)
