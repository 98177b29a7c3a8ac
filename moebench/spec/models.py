"""What the user writes: every key of the config, with its type, default, unit and meaning."""

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    SerializeAsAny,
    create_model,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo

from moebench import registry
from moebench.spec.base import RoomSpec, Spec
from moebench.spec.capacity import CapacitySpec
from moebench.spec.claims import ClaimsSpec
from moebench.spec.energy import EnergySpec
from moebench.spec.kinds import (
    BASELINES,
    BaselineName,
    CorpusName,
    CorpusSource,
    DispatchName,
    FigureName,
    GateName,
    Name,
    RouterName,
    Seeds,
    TokenizerName,
    distinct,
    drawing,
    unit,
)
from moebench.spec.parallel import ParallelSpec
from moebench.spec.perft import PerftSpec
from moebench.spec.problems import check_options, one_of
from moebench.spec.rank_stability import RankStabilitySpec
from moebench.spec.traces import SpecialisationSpec, TracingSpec

# Keys that mean nothing to a model without a gate.
ROUTED_ONLY = (
    "model.gate",
    "model.capacity_factor",
    "model.drop_policy",
    "model.dispatch",
)


_FEWEST_COMPARED = 2  # experiments, between which routers may change their order


class ModelSpec(Spec):
    """The decoder-only transformer, with a mixture of experts in every block."""

    num_layers: int = Field(2, ge=1, description="transformer blocks")
    dim: int = Field(128, ge=1, description="width of the residual stream")
    num_heads: int = Field(4, ge=1, description="attention heads; must divide dim")
    num_experts: int = Field(8, ge=1, description="experts per block")
    top_k: int = Field(
        2, ge=1, description="experts per token; top1 always takes one, gshard_top2 two"
    )
    ffn_mult: int = Field(4, ge=1, description="hidden width of one expert, in units of dim")
    gate: GateName = Field("linear", description="how a token's vector becomes logits")
    capacity_factor: float = Field(
        1.25,
        gt=0,
        description="slots per expert = ceil(capacity_factor * tokens * top_k / experts)",
    )
    drop_policy: Literal["position", "gate", "none"] = Field(
        "position",
        description="who is dropped from a full expert: later tokens, smaller weights, or nobody",
    )
    dropout: float = Field(0.0, ge=0, lt=1, description="share of updates dropped in training")
    dispatch: DispatchName = Field("sorted", description="how tokens are brought to experts")

    @model_validator(mode="after")
    def _fits_together(self) -> "ModelSpec":
        if self.top_k > self.num_experts:
            raise ValueError(f"top_k={self.top_k} must be in 1..num_experts={self.num_experts}")
        if self.dim % self.num_heads:
            raise ValueError(f"dim={self.dim} must be a multiple of num_heads={self.num_heads}")
        if self.dim // self.num_heads % 2:
            raise ValueError(f"dim / num_heads = {self.dim // self.num_heads} must be even")
        return self


class TrainingSpec(Spec):
    """How a model is trained. The same for every router, so that only the router differs."""

    seq_len: int = Field(
        128, ge=2, description="length of a window", json_schema_extra=unit("tokens")
    )
    batch_size: int = Field(
        16,
        ge=1,
        description="windows in one step",
        json_schema_extra=unit("windows"),
    )
    num_steps: int = Field(
        300, ge=1, description="length of training", json_schema_extra=unit("steps")
    )
    learning_rate: float = Field(4e-3, gt=0, description="peak learning rate of AdamW")
    warmup_steps: int = Field(
        30,
        ge=0,
        description="linear warm-up; cosine decay to 0 after it",
        json_schema_extra=unit("steps"),
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
    eval_every: int = Field(
        75,
        ge=1,
        description="interval between scorings of the held-out text",
        json_schema_extra=unit("steps"),
    )
    checkpoint_every: int = Field(
        50, ge=1, description="interval between checkpoints", json_schema_extra=unit("steps")
    )

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
    warmup_steps: int = Field(
        3,
        ge=1,
        description="before the clock counts, for each arm",
        json_schema_extra=unit("steps"),
    )
    num_steps: int = Field(
        30, ge=2, description="measured, for each arm", json_schema_extra=unit("steps")
    )


class CorpusSpec(Spec):
    """A text: its source, and the options of that source."""

    model_config = {**registry.STRICT, "extra": "allow"}

    source: CorpusSource = Field(
        description="where the text comes from; its options stand beside it"
    )
    validation_fraction: float = Field(
        0.1, gt=0, lt=1, description="share of the documents that is held out"
    )
    split_seed: int = Field(0, description="seed of the split into training and held-out documents")

    @model_validator(mode="after")
    def _options_fit(self) -> "CorpusSpec":
        check_options("corpora", {self.source: self.options})
        return self

    @property
    def options(self) -> dict[str, Any]:
        """What only this source knows, for the constructor of its class."""
        return dict(self.model_extra or {})


def _overrides(spec: type[Spec]) -> type[Spec]:
    """A spec of the same keys, none of which has to be given."""
    fields: dict[str, Any] = {
        key: (field.annotation, FieldInfo.merge_field_infos(field, default=None))
        for key, field in spec.model_fields.items()
    }
    return create_model(f"{spec.__name__} overrides", __base__=Spec, **fields)


ModelOverrides = _overrides(ModelSpec)
TrainingOverrides = _overrides(TrainingSpec)


class ExperimentSpec(Spec):
    """One question, as differences from the top-level model and training settings."""

    routers: dict[RouterName, dict[str, Any] | None] = Field(
        description="whom to compare, each with its options, or with none"
    )
    baselines: Annotated[list[BaselineName], AfterValidator(distinct)] = Field(
        [], description="dense networks trained and timed beside the routers"
    )
    seeds: Seeds | None = Field(None, description="overrides the top-level seeds")
    corpus: CorpusName | None = Field(None, description="overrides the top-level corpus")
    tokenizer: TokenizerName | None = Field(None, description="overrides the top-level tokenizer")
    model: SerializeAsAny[Spec] = Field(
        ModelOverrides(),
        description="overrides of keys of the top-level model",
        json_schema_extra={"kind": "any keys of model", "default": {}},
    )
    training: SerializeAsAny[Spec] = Field(
        TrainingOverrides(),
        description="overrides of keys of the top-level training",
        json_schema_extra={"kind": "any keys of training", "default": {}},
    )
    sweep: dict[str, list[Any]] = Field(
        {}, description="dotted key under model or training: the values it takes in turn"
    )
    figures: Annotated[
        list[FigureName],
        AfterValidator(distinct),
        drawing("runs", "summary", "curves", "contrasts"),
    ] = Field([], description="what to draw")
    published: str | None = Field(
        None, description="a file in resources/published, without its ending, to compare with"
    )

    @field_validator("model", mode="before")
    @classmethod
    def _model_keys(cls, given: Any) -> Spec:
        return ModelOverrides.model_validate(given)

    @field_validator("training", mode="before")
    @classmethod
    def _training_keys(cls, given: Any) -> Spec:
        return TrainingOverrides.model_validate(given)

    @field_validator("routers")
    @classmethod
    def _options_fit(cls, routers: dict[str, Any]) -> dict[str, Any]:
        if not routers:
            raise ValueError("name at least one router")
        check_options("routers", {name: given or {} for name, given in routers.items()})
        return routers

    @field_validator("sweep")
    @classmethod
    def _sweep_moves_settings(cls, sweep: dict[str, list[Any]]) -> dict[str, list[Any]]:
        known = [f"model.{key}" for key in ModelSpec.model_fields]
        known += [f"training.{key}" for key in TrainingSpec.model_fields]
        for key, values in sweep.items():
            one_of(key, known)
            if not values:
                raise ValueError(f"{key!r} has no values to take; give it at least one")
            distinct(values)
        return sweep


class Config(Spec):
    """The whole config file."""

    corpora: dict[Name, CorpusSpec] = Field(
        description="the texts there are, by a name of your choice"
    )
    corpus: CorpusName = Field(description="the text to train on")
    tokenizer: TokenizerName = Field("char", description="how text becomes tokens")
    tokenizers: dict[TokenizerName, dict[str, Any]] = Field(
        {}, description="options of tokenizers that differ from their defaults"
    )
    seeds: Seeds = Field([0, 1, 2], description="one run of every arm for each")
    model: ModelSpec = Field(ModelSpec(), description="shared by all experiments")
    training: TrainingSpec = Field(TrainingSpec(), description="shared by all experiments")
    timing: TimingSpec = Field(TimingSpec(), description="how speed is measured")
    tracing: TracingSpec = Field(TracingSpec(), description="what is traced of routers")
    experiments: dict[Name, ExperimentSpec] = Field(
        description="what to run, by a name of your choice; null leaves one out"
    )
    capacity: CapacitySpec | None = Field(
        None, description="what capacity costs and drops, with untrained and trained routings"
    )
    specialisation: SpecialisationSpec | None = Field(
        None, description="what the experts of trained routers have learnt"
    )
    parallel: ParallelSpec | None = Field(
        None, description="experts replicated, sharded or distributed over ranks"
    )
    energy: EnergySpec | None = Field(
        None, description="inferences per second and per joule, mixtures against dense networks"
    )
    perft: PerftSpec | None = Field(None, description="adapters on a pretrained MoE")

    rank_stability: RankStabilitySpec | None = Field(
        RankStabilitySpec(),
        description="whether routers keep their order; needs two experiments, else left out",
    )
    claims: ClaimsSpec | None = Field(
        None, description="statements put to the test, on published data and on this run"
    )

    @field_validator("experiments", mode="before")
    @classmethod
    def _null_leaves_out(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        return {name: experiment for name, experiment in given.items() if experiment is not None}

    @field_validator("tokenizers")
    @classmethod
    def _tokenizer_options_fit(cls, tokenizers: dict[str, Any]) -> dict[str, Any]:
        check_options("tokenizers", tokenizers)
        return tokenizers

    @field_validator("experiments")
    @classmethod
    def _asks_for_something(cls, given: dict[str, ExperimentSpec]) -> dict[str, ExperimentSpec]:
        if not given:
            raise ValueError("describe at least one experiment")
        taken = [name for name in given if name in cls.model_fields]
        if taken:
            raise ValueError(f"{taken[0]!r} is a key of the config; choose another name")
        return given

    @property
    def rooms(self) -> dict[str, RoomSpec]:
        """What is measured besides the experiments that train a language model, by its key."""
        rooms = {key: value for key, value in self if isinstance(value, RoomSpec)}
        if len(self.experiments) < _FEWEST_COMPARED:
            rooms.pop("rank_stability", None)
        return rooms

    @property
    def figures(self) -> dict[str, list[str]]:
        """Figures to draw, by the experiment or room they belong to."""
        of_experiments = {name: each.figures for name, each in self.experiments.items()}
        return of_experiments | {name: room.figures for name, room in self.rooms.items()}


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
