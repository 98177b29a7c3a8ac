"""What the rules of certificates depend on: who needs one, and the run that it is taken from."""


def certificates():
    """Names of the certificates that the experiments need, each with the run that is probed."""
    if CONFIG.certificates is None:
        return {}
    return {name: SOURCES[run] for name, run in spec.certified(RUNS).items()}


def certificate_run(wildcards):
    """The spec of the trained run that a certificate probes."""
    return RUNS[certificates()[wildcards.certificate]]


def certificate_inputs(wildcards):
    """The tokens and the weights of that run."""
    run = certificate_run(wildcards)
    weights = f"results/runs/{certificates()[wildcards.certificate]}/weights.pt"
    return token_files(run.corpus, run.tokenizer) | {"weights": weights}


def certificate_sizes():
    """How much is probed."""
    room = CONFIG.certificates
    names = ("num_trials", "num_batches", "num_windows")
    return {name: getattr(room, name) for name in names} | {
        "vocab_size": room.toy.vocab_size
    }


def certificate_code(run):
    """The code that a certificate vouches for: how it is made, and the plug-ins of the run."""
    return code_of("moebench.lm.certificate.certify", [run])


def certificate_rows(names=None):
    """Rows of the named certificates, or of all."""
    names = certificates() if names is None else names
    return [f"results/runs/certificates/{name}/rows.jsonl" for name in names]


def certificate_digests(experiment):
    """The code that the certificates of an experiment must vouch for, by name."""
    found = certificates()
    names = spec.certified(runs_of(experiment)) if found else {}
    return {
        name: certificate_code(RUNS[found[name]])["digest"] for name in sorted(names)
    }
