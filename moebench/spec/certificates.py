"""The config of the certificates: the toy on which each router shows what it looks at."""

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationError, model_validator

from moebench.spec.base import RoomSpec, Spec
from moebench.spec.kinds import FigureName, Seeds, distinct, drawing, unit
from moebench.spec.runs import ModelSpec, RunSpec, TrainingSpec


class ToySpec(Spec):
    """A small model of uniform tokens, in which a leak is found within seconds."""

    vocab_size: int = Field(16, ge=2, description="different tokens, each as likely as any other")
    num_layers: int = Field(2, ge=1, description="transformer blocks")
    dim: int = Field(32, ge=1, description="width of the residual stream")
    num_heads: int = Field(4, ge=1, description="attention heads; must divide dim")
    num_experts: int = Field(8, ge=1, description="experts per block")
    top_k: int = Field(2, ge=1, description="experts per token")
    capacity_factor: float = Field(1.0, gt=0, description="small enough that experts fill up")
    ffn_mult: int = Field(2, ge=1, description="hidden width of one expert, in units of dim")
    seq_len: int = Field(
        8, ge=2, description="length of a window", json_schema_extra=unit("tokens")
    )
    batch_size: int = Field(
        64, ge=2, description="windows in one step", json_schema_extra=unit("windows")
    )
    num_steps: int = Field(
        400, ge=1, description="length of training", json_schema_extra=unit("steps")
    )
    warmup_steps: int = Field(
        50, ge=0, description="linear warm-up", json_schema_extra=unit("steps")
    )
    learning_rate: float = Field(5e-3, gt=0, description="peak learning rate of AdamW")

    @model_validator(mode="after")
    def _fits_together(self) -> "ToySpec":
        for make in (lambda: self.model(ModelSpec()), lambda: self.training(threads=1)):
            try:
                make()
            except ValidationError as error:
                raise ValueError(str(error.errors()[0]["ctx"]["error"])) from None
        return self

    def model(self, like: ModelSpec) -> ModelSpec:
        """A small model that drops and pools as another one does."""
        names = type(self).model_fields.keys() & ModelSpec.model_fields.keys()
        mine = {name: getattr(self, name) for name in sorted(names)}
        return ModelSpec(**mine, drop_policy=like.drop_policy, pool=like.pool)

    def training(self, threads: int) -> TrainingSpec:
        """How it is trained: on a CPU, in single precision, without decay."""
        names = type(self).model_fields.keys() & TrainingSpec.model_fields.keys()
        mine = {name: getattr(self, name) for name in sorted(names)}
        fixed: dict[str, Any] = {"device": "cpu", "dtype": "float32", "weight_decay": 0.0}
        return TrainingSpec(**mine, **fixed, threads=threads)


class CertificatesSpec(RoomSpec):
    """Which router looks at later tokens, and how much of the future does it steal?"""

    toy: ToySpec = Field(ToySpec(), description="the small model that is trained for it")
    seeds: Seeds = Field([0], description="one toy of every router for each")
    num_trials: int = Field(
        8, ge=1, description="replacements of each part of a text, in every layer and model"
    )
    num_batches: int = Field(40, ge=2, description="fresh batches that a trained toy is scored on")
    num_windows: int = Field(
        64,
        ge=2,
        description="held-out windows on which a trained model of an experiment is probed; "
        "two batches of them at least",
        json_schema_extra=unit("windows"),
    )
    figures: Annotated[list[FigureName], AfterValidator(distinct), drawing("certificates")] = Field(
        [], description="what to draw"
    )

    def toys(self, run: RunSpec) -> list[RunSpec]:
        """The toys that certify the router of a run, one for each seed."""
        return [
            RunSpec(
                experiment="certificates",
                router=run.router,
                router_options=run.router_options,
                seed=seed,
                corpus="uniform",
                tokenizer="none",
                model=self.toy.model(run.model),
                training=self.toy.training(run.training.threads),
            )
            for seed in self.seeds
        ]


def certificate_of(run: RunSpec) -> str:
    """Name of the certificate that a run needs: router with its options, drop policy, pool.

    Capacity factors, sizes and experiments share one.
    """
    return certificate_name(run.router, run.router_options, run.model.drop_policy, run.model.pool)


def certificate_name(
    router: str, router_options: Mapping[str, Any], drop_policy: str, pool: str
) -> str:
    """Name of a certificate."""
    options = [f"{name}={router_options[name]}" for name in sorted(router_options)]
    return "_".join([router, *options, drop_policy, pool])


def certified(runs: Mapping[str, RunSpec]) -> dict[str, str]:
    """Names of the certificates that runs need, each with one run that needs it.

    That is the first by name, seeds included, in the experiment with most runs; the order in which
    the config names experiments decides nothing, because every job reads it in another one. A
    dense network routes nothing and needs none.
    """
    size = Counter(run.experiment for run in runs.values())
    found: dict[str, str] = {}
    for name in sorted(runs, key=lambda name: (-size[runs[name].experiment], name)):
        if not runs[name].is_baseline:
            found.setdefault(certificate_of(runs[name]), name)
    return found
