"""The energy room: which networks to run at which sizes, batches and number types, and how."""

import itertools
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from moebench import registry
from moebench.spec.base import RoomSpec, Spec
from moebench.spec.kinds import (
    FigureName,
    KernelName,
    MeterName,
    Name,
    distinct,
    drawing,
    filled,
    unit,
)
from moebench.spec.problems import check_options, one_of

EXPERIMENT = "energy"
DENSE_KERNEL = "dense"

NetworkName = Literal["moe", "dense_total", "dense_active"]
Dtype = Literal["f32", "tf32", "bf16"]
PlanName = Literal["throughput", "quick", "publication"]


class ShapeSpec(Spec):
    """One size of the mixture; the dense networks are sized after it."""

    num_experts: int = Field(ge=1, description="experts")
    width: int = Field(ge=1, description="hidden width of one expert")
    num_layers: int = Field(ge=1, description="hidden layers of one expert, and of dense networks")
    top_k: int = Field(ge=1, description="experts per sample")

    @model_validator(mode="after")
    def _fits_together(self) -> "ShapeSpec":
        if self.top_k > self.num_experts:
            raise ValueError(f"top_k={self.top_k} must be in 1..num_experts={self.num_experts}")
        return self


# The four sizes of the published experiment, neuralwatt/moe_energy_evaluation at 97f72a5.
PUBLISHED_SHAPES = {
    "small": ShapeSpec(num_experts=8, width=256, num_layers=3, top_k=2),
    "large": ShapeSpec(num_experts=16, width=1024, num_layers=4, top_k=4),
    "xl": ShapeSpec(num_experts=20, width=2048, num_layers=5, top_k=5),
    "xxl": ShapeSpec(num_experts=32, width=4096, num_layers=6, top_k=8),
}


class LearningSpec(Spec):
    """How the networks learn their task before they are measured."""

    sizes: list[str] = Field(
        ["small"],
        description="sizes to train; the others keep their first weights and have no accuracy",
    )
    num_samples: int = Field(
        10_000, ge=1, description="to train on", json_schema_extra=unit("samples")
    )
    num_heldout: int = Field(
        2_000, ge=1, description="to score on, never trained on", json_schema_extra=unit("samples")
    )
    num_epochs: int = Field(15, ge=1, description="passes over the training samples")
    batch_size: int = Field(
        128, ge=1, description="samples of one update", json_schema_extra=unit("samples")
    )
    learning_rate: float = Field(1e-3, gt=0, description="of Adam")
    balance_coef: float = Field(
        0.01, ge=0, description="factor of the mixture's balance loss; published: none, which is 0"
    )


class RangeSpec(Spec):
    """A constant that is not known better than within bounds."""

    low: float = Field(ge=0, description="smallest value it may have")
    high: float = Field(ge=0, description="largest value it may have")

    @model_validator(mode="after")
    def _is_ordered(self) -> "RangeSpec":
        if self.low > self.high:
            raise ValueError(f"low={self.low} must not be more than high={self.high}")
        return self


class EstimateSpec(Spec):
    """Declared constants of energy = static_w * time + flop_j * FLOP + byte_j * bytes."""

    static_w: RangeSpec = Field(
        description="drawn however little is done", json_schema_extra=unit("W")
    )
    flop_j: RangeSpec = Field(
        description="of one floating-point operation", json_schema_extra=unit("J")
    )
    byte_j: RangeSpec = Field(
        description="of one byte from or to memory", json_schema_extra=unit("J")
    )
    source: str = Field(description="where the constants come from")


class GpuSpec(Spec):
    """What changes a GPU for everybody on the machine, and is its owner's to allow."""

    is_owner: bool = Field(
        False, description="the word of the machine's owner, without which nothing is set"
    )
    power_limit_w: float | None = Field(
        None, gt=0, description="most that it may draw", json_schema_extra=unit("W")
    )
    clock_hz: float | None = Field(
        None, gt=0, description="at which its processors are held", json_schema_extra=unit("Hz")
    )

    @property
    def is_set(self) -> bool:
        """Whether anything is to be changed."""
        return self.power_limit_w is not None or self.clock_hz is not None

    @model_validator(mode="after")
    def _is_allowed(self) -> "GpuSpec":
        if self.is_set and not self.is_owner:
            raise ValueError(
                "is_owner=False: a power limit or a held clock changes the GPU for everybody on "
                "this machine; set is_owner to true if that is yours to decide, or leave both out"
            )
        return self


class WindowSpec(Spec):
    """One cell: a network of one size and kernel, run on batches of one size and number type."""

    experiment: str = EXPERIMENT
    size: str
    network: NetworkName
    kernel: str
    batch_size: int
    dtype: Dtype


_NUMBERS = BeforeValidator(lambda value: registry.spelled(value, list[int]))
BatchSizes = Annotated[list[Annotated[int, Field(ge=1, le=8192)]], _NUMBERS, AfterValidator(filled)]


class EnergySpec(RoomSpec):
    """From which size on does a mixture save energy against a dense network?"""

    sizes: Annotated[list[str], AfterValidator(filled)] = Field(
        ["small", "large"],
        description="small, large, xl and xxl are the published ones; others: see `shapes`",
    )
    shapes: dict[Name, ShapeSpec] = Field({}, description="sizes of your own, by a name")
    networks: Annotated[list[NetworkName], AfterValidator(filled)] = Field(
        ["dense_total", "dense_active", "moe"],
        description="the mixture, and dense networks with as many parameters, or as many active",
    )
    kernels: Annotated[list[KernelName], AfterValidator(filled)] = Field(
        ["naive", "chosen", "grouped"], description="ways to run the mixture's experts"
    )
    batch_sizes: BatchSizes = Field(
        [1, 16, 128, 1024], description="samples of one call", json_schema_extra=unit("samples")
    )
    num_batches: int = Field(
        8, ge=1, description="different batches that the calls of a window take in turn"
    )
    dtypes: Annotated[list[Dtype], AfterValidator(filled)] = Field(
        ["f32"], description="number types; tf32 needs a GPU, bf16 is emulated on many CPUs"
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="auto: a GPU where there is one"
    )
    threads: int = Field(1, ge=1, description="CPU threads while measuring")
    seed: int = Field(0, ge=0, description="of weights, samples and the order of cells")
    learning: LearningSpec = Field(LearningSpec(), description="how the networks are trained")
    plan: PlanName = Field(
        "throughput",
        description="throughput: short windows, no settling and no idle power; "
        "quick: windows of some 10 s; publication: of 60 s",
    )
    num_processes: int | None = Field(
        None,
        ge=1,
        description="started one after another; null: 4 for throughput, 5 for quick, "
        "10 for publication",
    )
    num_blocks: int = Field(
        1, ge=1, description="blocks of every process, each of which measures every cell once"
    )
    meters: dict[MeterName, dict[str, Any] | None] | None = Field(
        None, description="meters to try, each with its options, or with none; null: all there are"
    )
    require: Literal["any", "measured"] = Field(
        "any", description="measured: refuse to run where nothing measures the device's energy"
    )
    gpu: GpuSpec = Field(GpuSpec(), description="power limit and clock of the GPU")
    stop_after_s: float | None = Field(
        None,
        gt=0,
        description="stop after so long, and go on at the next call; null: go on to the end",
        json_schema_extra=unit("s"),
    )
    estimate: EstimateSpec | None = Field(
        None, description="estimate energy from declared constants, in a table of its own"
    )
    figures: Annotated[
        list[FigureName],
        AfterValidator(distinct),
        drawing(
            *("energy", "training", "estimate"),
            *("cells", "crossover", "published", "published_training", "elsewhere"),
        ),
    ] = Field([], description="what to draw")

    @field_validator("meters")
    @classmethod
    def _options_fit(cls, meters: dict[str, Any] | None) -> dict[str, Any] | None:
        check_options("meters", {name: given or {} for name, given in (meters or {}).items()})
        return meters

    @field_validator("shapes")
    @classmethod
    def _leaves_published_shapes(cls, shapes: dict[str, ShapeSpec]) -> dict[str, ShapeSpec]:
        for name in shapes:
            if name in PUBLISHED_SHAPES:
                raise ValueError(f"{name!r} is a published size; choose another name")
        return shapes

    @model_validator(mode="after")
    def _fits_together(self) -> "EnergySpec":
        known = [*PUBLISHED_SHAPES, *self.shapes]
        for name in self.sizes:
            one_of(name, known)
        for name in self.learning.sizes:
            one_of(name, known)
        if self.device == "cpu" and "tf32" in self.dtypes:
            raise ValueError("dtypes: 'tf32' needs a GPU, and device is 'cpu'; leave it out")
        if self.device == "cpu" and self.gpu.is_set:
            raise ValueError("gpu: there is nothing to set, as device is 'cpu'; leave it out")
        return self

    def shape(self, size: str) -> ShapeSpec:
        """Shape of the mixture of one size."""
        return PUBLISHED_SHAPES[size] if size in PUBLISHED_SHAPES else self.shapes[size]

    def cells(self, size: str) -> Iterator[WindowSpec]:
        """Every cell of one size."""
        kernels = {name: [DENSE_KERNEL] for name in self.networks} | {"moe": self.kernels}
        arms = [(name, kernel) for name in self.networks for kernel in kernels[name]]
        for (name, kernel), batch_size, dtype in itertools.product(
            arms, self.batch_sizes, self.dtypes
        ):
            yield WindowSpec(
                size=size, network=name, kernel=kernel, batch_size=batch_size, dtype=dtype
            )
