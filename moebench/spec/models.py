"""What the user writes: every key of the config, with its type, default, unit and meaning."""

from typing import Annotated, Any

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
from moebench.spec.advice import AdviceSpec
from moebench.spec.base import RoomSpec, Spec
from moebench.spec.capacity import CapacitySpec
from moebench.spec.certificates import CertificatesSpec
from moebench.spec.claims import ClaimsSpec
from moebench.spec.energy import EnergySpec
from moebench.spec.kinds import (
    BaselineName,
    CorpusName,
    CorpusSource,
    ExperimentName,
    FigureName,
    Name,
    RouterName,
    Seeds,
    TokenizerName,
    distinct,
    drawing,
    unit,
)
from moebench.spec.parallel import RANKS, ParallelSpec
from moebench.spec.perft import PerftSpec
from moebench.spec.problems import check_options, one_of
from moebench.spec.rank_stability import RankStabilitySpec
from moebench.spec.runs import ModelSpec, TrainingSpec
from moebench.spec.statistics import StatisticsSpec
from moebench.spec.traces import SpecialisationSpec, TracingSpec
from moebench.spec.waterfall import WaterfallSpec

AUTO = "auto"
_FEWEST_COMPARED = 2  # experiments, between which routers may change their order


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
        drawing(
            *("runs", "summary", "curves", "loads", "contrasts"),
            *("attainment", "hypervolume", "speed_up"),
        ),
    ] = Field([], description="what to draw")
    reuses: ExperimentName | None = Field(
        None, description="whose finished runs to take where both ask for the same ones"
    )
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
        if "training.ranks" in sweep:
            raise ValueError(
                "'training.ranks' takes one value in an experiment, whose arms one group of ranks "
                "times in turn; give each number an experiment of its own"
            )
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
    keep_weights: bool = Field(
        False,
        description="keep the weights of all trained models; else those that no certificate and "
        "no trace is made from are removed when all is done",
    )
    launcher: str = Field(
        AUTO,
        description="command that starts the ranks of a training, with {ranks} where their number "
        "goes; auto: srun inside a Slurm job, else torchrun",
    )
    timing: TimingSpec = Field(TimingSpec(), description="how speed is measured")
    tracing: TracingSpec = Field(TracingSpec(), description="what is traced of routers")
    statistics: StatisticsSpec = Field(
        StatisticsSpec(), description="which differences are too small to matter"
    )
    experiments: dict[Name, ExperimentSpec] = Field(
        description="what to run, by a name of your choice; null leaves one out"
    )
    certificates: CertificatesSpec | None = Field(
        None, description="which routers look at later tokens, and how much they gain by it"
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
    waterfall: WaterfallSpec | None = Field(
        None, description="from the published recipe to ours, one defect repaired at a time"
    )
    claims: ClaimsSpec | None = Field(
        None, description="statements put to the test, on published data and on this run"
    )

    advice: AdviceSpec = Field(AdviceSpec(), description="what `snakemake advise` speaks of")

    @field_validator("launcher")
    @classmethod
    def _says_how_many(cls, launcher: str) -> str:
        if launcher != AUTO and RANKS not in launcher:
            raise ValueError(
                f"{launcher!r} must be {AUTO} or contain {RANKS}, which becomes the number of "
                "ranks, as in 'srun -n {ranks}'"
            )
        return launcher

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
