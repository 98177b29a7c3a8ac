"""What the user wrote (``Config``), parsed once and strictly, and the runs it asks for (``RunSpec``).

``python -m moebench.spec --explain`` prints every key with type, default, unit and meaning.
"""

import difflib
import itertools
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from moebench import registry

BASELINES = {
    "dense": "a dense network with as many active FLOPs as top_k experts",
    "dense_total": "a dense network with as many parameters as num_experts experts",
}
Problem = tuple[str, str]  # path of the key, what is wrong with its value


class ConfigError(ValueError):
    """The config asks for something that cannot be run. Its text holds one problem a line."""

    def __init__(self, problems: list[Problem]):
        lines = [f"{path}: {what}" for path, what in problems]
        super().__init__("\n  ".join(["the config is not valid:", *lines]))
        self.problems = problems


class Spec(BaseModel):
    """Frozen, strict about types, and without a place for unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ModelSpec(Spec):
    """The decoder-only transformer, with a mixture of experts in every block."""

    num_layers: int = Field(2, ge=1, description="transformer blocks")
    dim: int = Field(128, ge=1, description="width of the residual stream")
    num_heads: int = Field(4, ge=1, description="attention heads; must divide dim")
    num_experts: int = Field(8, ge=1, description="experts per block")
    top_k: int = Field(2, ge=1, description="experts per token; top1 always takes one")
    ffn_mult: int = Field(4, ge=1, description="hidden width of one expert, in units of dim")
    capacity_factor: float = Field(
        1.25,
        gt=0,
        description="slots per expert = ceil(capacity_factor * tokens * top_k / experts)",
    )
    drop_policy: Literal["position", "gate", "none"] = Field(
        "position",
        description="who is dropped from a full expert: later tokens, smaller weights, or nobody",
    )
    dropout: float = Field(0.0, ge=0, lt=1, description="share of residual updates dropped in training")
    dispatch: str = Field("sorted", description="a file in moebench/dispatch")

    @field_validator("dispatch")
    @classmethod
    def _dispatch_exists(cls, name: str) -> str:
        return _one_of(name, registry.names("dispatch"))

    @model_validator(mode="after")
    def _fits_together(self) -> "ModelSpec":
        if self.top_k > self.num_experts:
            raise ValueError(f"top_k={self.top_k} must be in 1..num_experts={self.num_experts}")
        if self.dim % self.num_heads:
            raise ValueError(f"dim={self.dim} must be a multiple of num_heads={self.num_heads}")
        if self.dim // self.num_heads % 2:
            raise ValueError(f"dim={self.dim} must be an even multiple of num_heads={self.num_heads}")
        return self


class TrainingSpec(Spec):
    """How a model is trained. The same for every router, so that only the router differs."""

    seq_len: int = Field(
        128, ge=2, description="tokens per window", json_schema_extra={"unit": "tokens"}
    )
    batch_size: int = Field(16, ge=1, description="windows per step, over all ranks")
    num_steps: int = Field(300, ge=1, description="optimiser steps")
    learning_rate: float = Field(4e-3, gt=0, description="peak learning rate of AdamW")
    warmup_steps: int = Field(
        30, ge=0, description="steps of linear warm-up; cosine decay to 0 after"
    )
    weight_decay: float = Field(0.1, ge=0, description="AdamW's decay of matrices")
    grad_clip: float = Field(1.0, gt=0, description="largest norm of the gradient")
    balance_coef: float = Field(0.01, ge=0, description="factor of the balance loss")
    z_coef: float = Field(0.001, ge=0, description="factor of the router z-loss")
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="autocast type; auto: bfloat16 on a GPU, on a CPU the faster of the two"
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="auto: a GPU where there is one"
    )
    threads: int = Field(1, ge=1, description="CPU threads of one training job")
    eval_every: int = Field(75, ge=1, description="steps between scorings of the held-out text")
    checkpoint_every: int = Field(50, ge=1, description="steps between checkpoints")

    @model_validator(mode="after")
    def _fits_together(self) -> "TrainingSpec":
        if self.warmup_steps >= self.num_steps:
            raise ValueError(
                f"warmup_steps={self.warmup_steps} must be less than num_steps={self.num_steps}"
            )
        return self


class TimingSpec(Spec):
    """How speed is measured: by a job that has the machine alone, all arms taking turns."""

    threads: int = Field(1, ge=1, description="CPU threads while measuring")
    warmup_steps: int = Field(3, ge=1, description="steps of each arm before the clock counts")
    num_steps: int = Field(30, ge=2, description="measured steps of each arm")


class CorpusSpec(BaseModel):
    """A text: its source, and the options of that source."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)

    source: str = Field(description="a file in moebench/corpora")
    validation_fraction: float = Field(
        0.1, gt=0, lt=1, description="share of the documents that is held out"
    )
    split_seed: int = Field(0, description="seed of the split into training and held-out documents")

    @field_validator("source")
    @classmethod
    def _source_exists(cls, name: str) -> str:
        return _one_of(name, registry.names("corpora"))

    @model_validator(mode="after")
    def _options_fit(self) -> "CorpusSpec":
        registry.options("corpora", self.source).model_validate(self.options)
        return self

    @property
    def options(self) -> dict[str, Any]:
        """What only this source knows, for the constructor of its class."""
        return dict(self.model_extra or {})


class ExperimentSpec(Spec):
    """One question, as differences from the top-level model and training settings."""

    routers: dict[str, dict[str, Any] | None] = Field(
        description="files in moebench/routers, each with its options"
    )
    baselines: list[str] = Field([], description=f"any of {', '.join(BASELINES)}")
    seeds: list[int] | None = Field(None, description="overrides the top-level seeds")
    corpus: str | None = Field(None, description="overrides the top-level corpus")
    tokenizer: str | None = Field(None, description="overrides the top-level tokenizer")
    model: dict[str, Any] = Field({}, description="overrides of the top-level model")
    training: dict[str, Any] = Field({}, description="overrides of the top-level training")
    sweep: dict[str, list[Any]] = Field(
        {}, description="dotted key under model or training: the values it takes in turn"
    )
    figures: list[str] = Field([], description="files in moebench/figures")
    published: str | None = Field(
        None, description="a file in resources/published, without its ending, to compare with"
    )

    @field_validator("baselines")
    @classmethod
    def _baselines_exist(cls, names: list[str]) -> list[str]:
        return [_one_of(name, BASELINES) for name in names]

    @field_validator("figures")
    @classmethod
    def _figures_exist(cls, names: list[str]) -> list[str]:
        return [_one_of(name, registry.names("figures")) for name in names]

    @field_validator("routers")
    @classmethod
    def _routers_exist(cls, routers: dict[str, Any]) -> dict[str, Any]:
        if not routers:
            raise ValueError("name at least one router")
        for name in routers:
            _one_of(name, registry.names("routers"))
        return routers

    @field_validator("seeds")
    @classmethod
    def _seeds_differ(cls, seeds: list[int] | None) -> list[int] | None:
        return None if seeds is None else _distinct(seeds)


class Config(Spec):
    """The whole config file."""

    corpora: dict[str, CorpusSpec] = Field(
        description="the texts there are, by a name of your choice"
    )
    corpus: str = Field(description="the text to train on: a key of corpora")
    tokenizer: str = Field("char", description="a file in moebench/tokenizers")
    seeds: list[int] = Field([0, 1, 2], description="one run of every arm for each")
    model: ModelSpec = Field(ModelSpec(), description="shared by all experiments")
    training: TrainingSpec = Field(TrainingSpec(), description="shared by all experiments")
    timing: TimingSpec = Field(TimingSpec(), description="how speed is measured")
    experiments: dict[str, ExperimentSpec] = Field(
        description="what to run, by a name of your choice"
    )

    @field_validator("seeds")
    @classmethod
    def _seeds_differ(cls, seeds: list[int]) -> list[int]:
        return _distinct(seeds)

    @field_validator("tokenizer")
    @classmethod
    def _tokenizer_exists(cls, name: str) -> str:
        return _one_of(name, registry.names("tokenizers"))


class RunSpec(Spec):
    """One training run: everything that decides its outcome, but the code."""

    experiment: str
    router: str
    router_options: dict[str, Any]
    seed: int
    corpus: str
    tokenizer: str
    model: ModelSpec
    training: TrainingSpec

    @property
    def is_baseline(self) -> bool:
        """Whether the model is dense, without gate and router."""
        return self.router in BASELINES


def parse(raw: Mapping[str, Any]) -> Config:
    """Check a config and return it; ConfigError lists every problem at once."""
    try:
        config = Config.model_validate(dict(raw))
    except ValidationError as error:
        raise ConfigError([_problem(Config, "", each) for each in error.errors()]) from None
    _, problems = _expand(config)
    if problems:
        raise ConfigError(problems)
    return config


def expand(config: Config) -> dict[str, RunSpec]:
    """Every run the config asks for, by ``experiment/run``: arms x swept values x seeds."""
    runs, problems = _expand(config)
    assert not problems, "parse() refuses such a config"
    return runs


def _expand(config: Config) -> tuple[dict[str, RunSpec], list[Problem]]:
    runs: dict[str, RunSpec] = {}
    problems: list[Problem] = []
    for name, experiment in config.experiments.items():
        where = f"experiments.{name}"
        problems += _reference_problems(config, experiment, where)
        for swept in _sweep(experiment):
            base, found = _base(config, experiment, swept, where)
            problems += [each for each in found if each not in problems]
            if base is not None:
                runs |= _arms(config, name, experiment, base, swept)
    return runs, problems


def _reference_problems(config: Config, experiment: ExperimentSpec, where: str) -> list[Problem]:
    """Names that are wrong only in the light of the rest of the config."""
    problems: list[Problem] = []
    for path, name, known in (
        ("corpus", config.corpus, config.corpora),
        (f"{where}.corpus", experiment.corpus or config.corpus, config.corpora),
        (f"{where}.tokenizer", experiment.tokenizer or "char", registry.names("tokenizers")),
    ):
        if name not in known:
            problems.append((path, _unknown(name, known)))
    for router, given in experiment.routers.items():
        model = registry.options("routers", router)
        try:
            model.model_validate(given or {})
        except ValidationError as error:
            path = f"{where}.routers.{router}"
            problems += [_problem(model, path, each) for each in error.errors()]
    return list(dict.fromkeys(problems))


def _sweep(experiment: ExperimentSpec) -> Iterator[dict[str, Any]]:
    """Each combination of swept values, as dotted key: value."""
    for values in itertools.product(*experiment.sweep.values()):
        yield dict(zip(experiment.sweep, values, strict=True))


def _base(
    config: Config, experiment: ExperimentSpec, swept: dict[str, Any], where: str
) -> tuple[tuple[ModelSpec, TrainingSpec] | None, list[Problem]]:
    """Model and training settings of one point of a sweep, or what is wrong with them."""
    problems: list[Problem] = []
    parts: list[Any] = []
    for key in swept:
        if key.partition(".")[0] not in ("model", "training"):
            problems.append((f"{where}.sweep", f"{key!r} must begin with 'model.' or 'training.'"))
    for part, shared, own in (
        ("model", config.model, experiment.model),
        ("training", config.training, experiment.training),
    ):
        moved = {key.partition(".")[2]: v for key, v in swept.items() if key.startswith(f"{part}.")}
        try:
            parts.append(type(shared).model_validate(shared.model_dump() | own | moved))
        except ValidationError as error:
            for each in error.errors():
                key = str(each["loc"][0]) if each["loc"] else ""
                path = f"{where}.sweep.{part}" if key in moved else f"{where}.{part}"
                problems.append(_problem(type(shared), path, each))
    return (None if problems else (parts[0], parts[1])), problems


def _arms(
    config: Config,
    name: str,
    experiment: ExperimentSpec,
    base: tuple[ModelSpec, TrainingSpec],
    swept: dict[str, Any],
) -> dict[str, RunSpec]:
    """Runs of every arm and seed at one point of a sweep.

    A baseline has no gate, so what is swept about gates does not multiply its runs: it takes part
    once, with the top-level value.
    """
    model, training = base
    arms = {router: given or {} for router, given in experiment.routers.items()}
    runs = {}
    for router, given in (arms | {baseline: {} for baseline in experiment.baselines}).items():
        moved, own = swept, model
        if router in BASELINES:
            moved = {key: v for key, v in swept.items() if key not in ROUTED_ONLY}
            own = model.model_copy(update={k: getattr(ModelSpec(), k) for k in _routed_fields()})
        for seed in config.seeds if experiment.seeds is None else experiment.seeds:
            coordinates = [f"{key.rpartition('.')[2]}={value}" for key, value in moved.items()]
            slug = "_".join([router, *coordinates, f"seed={seed}"])
            runs[f"{name}/{slug}"] = RunSpec(
                experiment=name,
                router=router,
                router_options=given,
                seed=seed,
                corpus=experiment.corpus or config.corpus,
                tokenizer=experiment.tokenizer or config.tokenizer,
                model=own,
                training=training,
            )
    return runs


# Keys that mean nothing to a model without a gate.
ROUTED_ONLY = ("model.capacity_factor", "model.drop_policy", "model.dispatch")


def _routed_fields() -> list[str]:
    return [key.partition(".")[2] for key in ROUTED_ONLY]


def _one_of(name: str, known: Any) -> str:
    if name not in known:
        raise ValueError(_unknown(name, known))
    return name


def _unknown(name: str, known: Any) -> str:
    near = difflib.get_close_matches(str(name), list(known), n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"unknown name {name!r}; {hint}choose from {', '.join(known)}"


def _distinct(seeds: list[int]) -> list[int]:
    if not seeds or len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds={seeds} must be one or more different numbers")
    return seeds


def _problem(model: type[BaseModel], where: str, error: ErrorDetails) -> Problem:
    """Pydantic's account of one mistake, in one line of ours."""
    path = ".".join(filter(None, [where, *map(str, error["loc"])])) or "top level"
    value = error["input"]
    if error["type"] == "extra_forbidden":
        key = str(error["loc"][-1])
        known = _fields_at(model, error["loc"][:-1])
        near = difflib.get_close_matches(key, known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(known)}"
        return path, f"unknown key {key!r}{hint}"
    if error["type"] == "missing":
        return path, "is missing"
    if error["type"] == "value_error":
        return path, str(error["ctx"]["error"])
    message = error["msg"][0].lower() + error["msg"][1:]
    if isinstance(value, str) and "valid number" in message:
        message += "; YAML reads 1e-3 as text, write 1.0e-3"
    return path, f"{message}; got {value!r}"


def _fields_at(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """Field names of the (nested) spec that a path of keys leads to."""
    for key in path:
        field = model.model_fields.get(str(key))
        inner = field.annotation if field else None
        arguments = getattr(inner, "__args__", ())
        specs = [each for each in (inner, *arguments) if _is_spec(each)]
        model = specs[0] if specs else model
    return list(model.model_fields)


def _is_spec(thing: Any) -> bool:
    return isinstance(thing, type) and issubclass(thing, BaseModel)
