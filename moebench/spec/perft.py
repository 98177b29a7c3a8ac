"""The PERFT room: which adapters to put on which pretrained MoE, on which questions, and how."""

import itertools
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from moebench import registry
from moebench.spec.adapters import (
    AdapterRunSpec,
    AdapterSpec,
    BaseModelSpec,
    FinetuningSpec,
    PretrainingRunSpec,
)
from moebench.spec.base import RoomSpec, Spec
from moebench.spec.kinds import (
    AdapterName,
    CorpusName,
    FigureName,
    QuestionSource,
    Seeds,
    TokenizerName,
    distinct,
    drawing,
    unit,
)
from moebench.spec.problems import check_options, problem
from moebench.spec.runs import TextTrainingSpec

EXPERIMENT = "perft"
TABLES = ("perft", "summary", "curves", "contrasts", "published", "statements")


def _values(values: list[Any]) -> list[Any]:
    if not values:
        raise ValueError("there is no value to take; give at least one")
    return distinct(values)


Ranks = Annotated[
    list[Annotated[int, Field(ge=1)]],
    BeforeValidator(lambda value: registry.spelled(value, list[int])),
    AfterValidator(_values),
]


class BaseSpec(Spec):
    """The pretrained MoE that stays as it is: where it comes from."""

    source: Literal["embedded", "local", "hub"] = Field(
        "embedded",
        description="embedded: pretrained by this run; local: a folder; hub: fetched by name",
    )
    path: str | None = Field(
        None, description="folder in Hugging Face format, where source is local"
    )
    name: str | None = Field(None, description="owner/model on the hub, where source is hub")
    revision: str | None = Field(
        None, description="commit of the model on the hub, where source is hub"
    )
    corpus: CorpusName | None = Field(
        None, description="overrides the top-level corpus, where source is embedded"
    )
    tokenizer: TokenizerName | None = Field(
        None, description="overrides the top-level tokenizer, where source is embedded"
    )
    model: BaseModelSpec = Field(BaseModelSpec(), description="size, where source is embedded")
    training: TextTrainingSpec = Field(
        TextTrainingSpec(),
        description="training, where source is embedded; keys as under training",
    )
    seed: int = Field(0, ge=0, description="of its training, where source is embedded")

    @model_validator(mode="after")
    def _is_whole(self) -> "BaseSpec":
        needed = {"embedded": (), "local": ("path",), "hub": ("name", "revision")}[self.source]
        for key in ("path", "name", "revision"):
            if key in needed and getattr(self, key) is None:
                raise ValueError(f"source {self.source!r} needs {key}; give it")
            if key not in needed and getattr(self, key) is not None:
                raise ValueError(f"{key} means nothing where source is {self.source!r}; drop it")
        return self

    @property
    def called(self) -> str:
        """Name of the base in rows and tables."""
        return self.name or self.path or self.source

    def run(self, corpus: str, tokenizer: str) -> PretrainingRunSpec:
        """The training of an embedded base, on the config's corpus unless it has its own."""
        return PretrainingRunSpec(
            corpus=self.corpus or corpus,
            tokenizer=self.tokenizer or tokenizer,
            seed=self.seed,
            model=self.model,
            training=self.training,
        )


class QuestionsSpec(Spec):
    """Questions with checkable answers: their source, the options of that source, the split."""

    model_config = {**registry.STRICT, "extra": "allow"}

    source: QuestionSource = Field(
        "generated", description="where questions come from; its options stand beside it"
    )
    held_out_fraction: float = Field(
        0.1, gt=0, lt=1, description="share held out, where the source holds out none itself"
    )
    split_seed: int = Field(0, description="seed of the split, and of the choice of num_eval")

    @model_validator(mode="after")
    def _options_fit(self) -> "QuestionsSpec":
        check_options("questions.sources", {self.source: self.options})
        return self

    @property
    def options(self) -> dict[str, Any]:
        """What only this source knows, for the constructor of its class."""
        return dict(self.model_extra or {})


class AdaptersSpec(Spec):
    """Adapters of one variant: every combination of its ranks and options is an arm.

    Options of the variant stand beside these keys, each with a value or a list of values.
    """

    model_config = {**registry.STRICT, "extra": "allow"}

    variant: AdapterName = Field(description="what is added, and where")
    rank: Ranks = Field([8], description="inner width of an adapter; options stand beside it")
    inner: Literal["lora", "parallel"] = Field("lora", description="what an adapter computes")
    alpha: float | None = Field(
        None, gt=0, description="gain of lora is alpha / rank; null: alpha = 2 * rank"
    )
    dropout: float = Field(0.0, ge=0, lt=1, description="share of an adapter's input dropped")
    learning_rate: float | None = Field(
        None, gt=0, description="overrides finetuning.learning_rate"
    )

    @model_validator(mode="after")
    def _fits_together(self) -> "AdaptersSpec":
        for key, values in (self.model_extra or {}).items():
            if isinstance(values, list) and not values:
                raise ValueError(f"{key!r} has no values to take; give it at least one")
        try:
            list(self.arms())
        except ValidationError as error:
            told = [problem(AdapterSpec, "", each) for each in error.errors()]
            raise ValueError("; ".join(what for _, what in told)) from None
        return self

    def arms(self) -> Iterator[AdapterSpec]:
        """Each adapter that is asked for."""
        axes = {
            key: values if isinstance(values, list) else [values]
            for key, values in (self.model_extra or {}).items()
        }
        for rank, *options in itertools.product(self.rank, *axes.values()):
            yield AdapterSpec(
                variant=self.variant,
                options=dict(zip(axes, options, strict=True)),
                rank=rank,
                inner=self.inner,
                alpha=self.alpha,
                dropout=self.dropout,
            )


class PerftSpec(RoomSpec):
    """Routed, embedded, dense or single adapters, or LoRA on attention: which is worth its size?"""

    base: BaseSpec = Field(BaseSpec(), description="the pretrained MoE, which stays as it is")
    questions: QuestionsSpec = Field(
        QuestionsSpec(), description="what adapters learn and are scored on"
    )
    adapters: list[AdaptersSpec] = Field(description="the arms; each entry is a small grid")
    finetuning: FinetuningSpec = Field(FinetuningSpec(), description="how adapters are trained")
    num_eval: int | None = Field(
        500,
        ge=1,
        description="held-out questions that are scored; null: all",
        json_schema_extra=unit("questions"),
    )
    seeds: Seeds | None = Field(None, description="overrides the top-level seeds")
    figures: Annotated[list[FigureName], AfterValidator(distinct), drawing(*TABLES)] = Field(
        [], description="what to draw"
    )

    @field_validator("adapters")
    @classmethod
    def _differ(cls, adapters: list[AdaptersSpec]) -> list[AdaptersSpec]:
        if not adapters:
            raise ValueError("describe at least one adapter")
        distinct([slug(arm) for each in adapters for arm in each.arms()])
        return adapters

    @model_validator(mode="after")
    def _fits_the_base(self) -> "PerftSpec":
        """Refuse here what only the base's size forbids, where that is known before it is there."""
        if self.base.source != "embedded":
            return self
        size = self.base.model.hidden_size
        for each in self.adapters:
            if max(each.rank) > size:
                raise ValueError(
                    f"rank={max(each.rank)} of {each.variant!r} is larger than the base's hidden "
                    f"size {size}; choose 1..{size}"
                )
        return self

    def cells(self, seeds: list[int]) -> dict[str, list[AdapterRunSpec]]:
        """Runs of every arm, one for each seed, by the arm's name."""
        return {
            slug(adapter): [
                AdapterRunSpec(
                    base=self.base.called,
                    data=self.questions.source,
                    seed=seed,
                    adapter=adapter,
                    finetuning=self._finetuning(each),
                )
                for seed in self.seeds or seeds
            ]
            for each in self.adapters
            for adapter in each.arms()
        }

    def _finetuning(self, adapters: AdaptersSpec) -> FinetuningSpec:
        if adapters.learning_rate is None:
            return self.finetuning
        return self.finetuning.model_copy(update={"learning_rate": adapters.learning_rate})


def slug(adapter: AdapterSpec) -> str:
    """Name of an arm: its variant, and whatever is not as usual."""
    usual = {"inner": "lora", "alpha": None, "dropout": 0.0}
    told = {"rank": adapter.rank} | adapter.options
    told |= {key: getattr(adapter, key) for key in usual if getattr(adapter, key) != usual[key]}
    return "_".join([adapter.variant, *(f"{key}={value}" for key, value in told.items())])
