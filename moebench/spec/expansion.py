"""From a config to the runs it asks for."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from moebench import registry
from moebench.spec.base import Spec
from moebench.spec.kinds import BASELINES
from moebench.spec.models import Config, ExperimentSpec
from moebench.spec.parallel import misfits
from moebench.spec.problems import ConfigError, Problem, problem, unknown
from moebench.spec.runs import ROUTED_ONLY, ModelSpec, RunSpec, TrainingSpec

Part = TypeVar("Part", ModelSpec, TrainingSpec)
Swept = dict[str, Any]  # dotted key under model or training: its value at one point of a sweep


def parse(raw: Mapping[str, Any]) -> Config:
    """Check a config and return it; ConfigError lists every problem at once."""
    try:
        config = Config.model_validate(dict(raw))
    except ValidationError as error:
        raise ConfigError(problem(Config, "", each) for each in error.errors()) from None
    problems = [*_unknown_corpora(config), *_unset_tokenizers(config)] + [
        each
        for name, experiment in config.experiments.items()
        for swept in _sweep(experiment)
        for part in ("model", "training")
        for each in _misfits(config, name, part, swept)
    ]
    problems += [*_single_sequences(config), *_unknown_experiments(config), *_lenders(config)]
    problems += _long_passage(config)
    if config.parallel is not None:
        problems += misfits(config.parallel)
    if problems:
        raise ConfigError(problems)
    return config


def expand(config: Config) -> dict[str, RunSpec]:
    """Every run the config asks for, by ``experiment/run``: arms x swept values x seeds."""
    return {
        f"{name}/{_slug(run, _moved(config, name, run.router, swept))}": run
        for name, experiment in config.experiments.items()
        for swept in _sweep(experiment)
        for run in _runs(config, name, swept)
    }


def traced(runs: Mapping[str, RunSpec], experiment: str) -> dict[str, RunSpec]:
    """Runs whose routers are traced: every seed of each router at the first point of the sweep."""
    routed = {
        name: run
        for name, run in runs.items()
        if run.experiment == experiment and not run.is_baseline
    }
    first: dict[str, RunSpec] = {}
    for run in routed.values():
        first.setdefault(run.router, run)
    return {
        name: run
        for name, run in routed.items()
        if run == first[run.router].model_copy(update={"seed": run.seed})
    }


def sources(config: Config, runs: Mapping[str, RunSpec]) -> dict[str, str]:
    """Name of the run that is trained for each run.

    It is the run itself, or the equal one of the experiment that its own ``reuses``.
    """
    by_spec = {run.model_dump_json(): name for name, run in runs.items()}
    found = {}
    for name, run in runs.items():
        lender = config.experiments[run.experiment].reuses
        wanted = run if lender is None else run.model_copy(update={"experiment": lender})
        found[name] = by_spec.get(wanted.model_dump_json(), name)
    return found


def _sweep(experiment: ExperimentSpec) -> Iterator[Swept]:
    """Each combination of swept values."""
    for values in itertools.product(*experiment.sweep.values()):
        yield dict(zip(experiment.sweep, values, strict=True))


def _runs(config: Config, name: str, swept: Swept) -> Iterator[RunSpec]:
    """Runs of every arm and seed at one point of a sweep."""
    experiment = config.experiments[name]
    options = {router: given or {} for router, given in experiment.routers.items()}
    for router in [*options, *experiment.baselines]:
        moved = _moved(config, name, router, swept)
        for seed in experiment.seeds or config.seeds:
            yield RunSpec(
                experiment=name,
                router=router,
                router_options=options.get(router, {}),
                seed=seed,
                corpus=experiment.corpus or config.corpus,
                tokenizer=experiment.tokenizer or config.tokenizer,
                model=_without_gate(ModelSpec(**_merged(config, name, "model", moved)), router),
                training=_without_gate(
                    TrainingSpec(**_merged(config, name, "training", moved)), router
                ),
            )


def _moved(config: Config, name: str, router: str, swept: Swept) -> Swept:
    """What a sweep changes for an arm; what means nothing to it leaves it as it is.

    An arm thus takes part once, whatever values such a key takes.
    """
    policy = _merged(config, name, "model", swept)["drop_policy"]
    idle = _idle(router, policy)
    return {key: value for key, value in swept.items() if key not in idle}


def _idle(router: str, drop_policy: str) -> list[str]:
    """Keys that mean nothing to an arm."""
    if router in BASELINES:
        return list(ROUTED_ONLY)
    idle = []
    if registry.flag("routers", router, "ignores_gate"):
        idle.append("model.gate")
    if drop_policy == "none" and not registry.flag("routers", router, "fills_capacity"):
        idle.append("model.capacity_factor")
    return idle


def _without_gate(part: Part, router: str) -> Part:
    """The model or training of an arm; what a baseline lacks is set as it is by default."""
    if router not in BASELINES:
        return part
    keys = (key.partition(".")[2] for key in ROUTED_ONLY)
    default = type(part)()
    return part.model_copy(
        update={key: getattr(default, key) for key in keys if key in type(part).model_fields}
    )


def _slug(run: RunSpec, moved: Swept) -> str:
    """Name of a run within its experiment: arm, what is swept, seed."""
    coordinates = [f"{key.rpartition('.')[2]}={value}" for key, value in moved.items()]
    return "_".join([run.router, *coordinates, f"seed={run.seed}"])


def _merged(config: Config, name: str, part: str, swept: Swept) -> dict[str, Any]:
    """Settings under ``model`` or ``training``: the shared, the experiment's, the swept ones."""
    own: Spec = getattr(config.experiments[name], part)
    shared: Spec = getattr(config, part)
    moved = {
        key.partition(".")[2]: value for key, value in swept.items() if key.startswith(f"{part}.")
    }
    return shared.model_dump() | own.model_dump(exclude_unset=True) | moved


def _unknown_corpora(config: Config) -> list[Problem]:
    """Where the text to train on is none of those that the config describes."""
    named = {"corpus": config.corpus} | {
        f"experiments.{name}.corpus": experiment.corpus
        for name, experiment in config.experiments.items()
        if experiment.corpus is not None
    }
    if config.perft is not None and config.perft.base.corpus is not None:
        named["perft.base.corpus"] = config.perft.base.corpus
    return [
        (path, unknown(corpus, config.corpora))
        for path, corpus in named.items()
        if corpus not in config.corpora
    ]


def _unset_tokenizers(config: Config) -> list[Problem]:
    """Tokenizers that need an option which the config does not give."""
    used = {config.tokenizer} | {
        each.tokenizer for each in config.experiments.values() if each.tokenizer is not None
    }
    return [
        (f"tokenizers.{name}.{option}", f"is missing; tokenizer {name!r} needs it")
        for name in sorted(used - set(config.tokenizers))
        for option, field in registry.options("tokenizers", name).model_fields.items()
        if field.is_required()
    ]


def _unknown_experiments(config: Config) -> list[Problem]:
    """Keys that ask for the routers of an experiment which is not described."""
    named = {
        f"{key}.experiment": room.experiment
        for key, room in (
            ("capacity", config.capacity),
            ("specialisation", config.specialisation),
            ("advice", config.advice),
        )
        if room is not None and room.experiment is not None
    }
    return [
        (path, unknown(name, config.experiments))
        for path, name in named.items()
        if name not in config.experiments
    ]


def _long_passage(config: Config) -> list[Problem]:
    """A passage that is to be shown, longer than the windows it is cut from."""
    room = config.specialisation
    if room is None or room.experiment not in config.experiments:
        return []
    first = next(_sweep(config.experiments[room.experiment]))
    seq_len = _merged(config, room.experiment, "training", first)["seq_len"]
    if room.passage_tokens <= seq_len:
        return []
    return [
        (
            "specialisation.passage_tokens",
            f"{room.passage_tokens} must be at most the {seq_len} tokens of a window "
            f"(training.seq_len of {room.experiment})",
        )
    ]


def _lenders(config: Config) -> list[Problem]:
    """Experiments that take runs from one that does not train them."""
    found = []
    for name, experiment in config.experiments.items():
        lender = experiment.reuses
        path = f"experiments.{name}.reuses"
        if lender is not None and lender not in config.experiments:
            found.append((path, unknown(lender, config.experiments)))
        elif lender is not None and config.experiments[lender].reuses is not None:
            found.append((path, f"{lender!r} takes runs itself; name an experiment that does not"))
    return found


def _single_sequences(config: Config) -> list[Problem]:
    """Routers that choose among the sequences of a batch, where a pool has one."""
    alone = (
        ("training", "batch_size", 1, "make it 2 or more"),
        ("model", "pool", "sequence", "make it batch"),
        ("training", "routing_scope", "rank", "make it global"),
    )
    return [
        (
            f"experiments.{name}.routers.{router}",
            f"chooses among the sequences of a batch, and {part}.{key}={value} gives it one; "
            f"{remedy}, or leave the router out",
        )
        for name, experiment in config.experiments.items()
        for swept in _sweep(experiment)
        for part, key, value, remedy in alone
        if _merged(config, name, part, swept)[key] == value
        and (key != "routing_scope" or _windows_of_a_rank(config, name, swept) == 1)
        for router in experiment.routers
        if registry.flag("routers", router, "needs_batch")
    ]


def _windows_of_a_rank(config: Config, name: str, swept: Swept) -> float:
    training = _merged(config, name, "training", swept)
    windows: float = training["batch_size"] / training["ranks"]
    return windows


def _misfits(config: Config, name: str, part: str, swept: Swept) -> list[Problem]:
    """What is wrong with one point of a sweep: values, and their fit to each other."""
    kind = ModelSpec if part == "model" else TrainingSpec
    try:
        kind.model_validate(_merged(config, name, part, swept))
    except ValidationError as error:
        return [problem(kind, f"experiments.{name}.{part}", each) for each in error.errors()]
    return []
