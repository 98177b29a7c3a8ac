"""The capacity room: which routings meet which capacities, drop policies and layouts."""

import itertools
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from moebench import registry
from moebench.spec.base import RoomSpec, Spec
from moebench.spec.kinds import ExperimentName, FigureName, distinct, drawing, filled, unit
from moebench.spec.sweeps import Axis

EXPERIMENT = "capacity"
DROPLESS = "none"

RoutingName = Literal["normal", "zipf", "traces"]
Policy = Literal["position", "gate", "none"]


Factors = Annotated[
    list[Annotated[float, Field(gt=0)]],
    BeforeValidator(lambda values: registry.spelled(values, list[float])),
    AfterValidator(filled),
]


class CapacityCellSpec(Spec):
    """One cell: a routing of one size, at one capacity, under one drop policy.

    A policy that drops nothing needs no capacity, and no room for it: rows lie expert by expert
    without a gap. All others fill a padded buffer of E x C rows.
    """

    experiment: str = EXPERIMENT
    routing: Literal["normal", "zipf", "trace"]
    router: str | None  # whose trace
    num_experts: int
    top_k: int
    capacity_factor: float | None
    policy: Policy

    @property
    def layout(self) -> str:
        """How rows lie in memory: ``padded`` or ``dropless``."""
        return "dropless" if self.policy == DROPLESS else "padded"


class CapacitySpec(RoomSpec):
    """What does capacity cost, and what does it drop: routings nobody trained, and trained ones."""

    routings: Annotated[list[RoutingName], AfterValidator(filled)] = Field(
        ["normal", "zipf", "traces"],
        description="normal: independent normal logits; zipf: experts wanted by Zipf's law; "
        "traces: trained routers on held-out text",
    )
    experiment: ExperimentName | None = Field(
        None, description="whose trained routers, at the first point of its sweep; traces need it"
    )
    num_experts: Axis = Field([8, 32], description="experts of normal and zipf routing")
    top_k: Axis = Field([1, 2], description="experts per token of normal and zipf routing")
    capacity_factors: Factors = Field(
        [1.0, 1.25, 1.5, 2.0], description="slots per expert, in units of tokens * top_k / experts"
    )
    policies: Annotated[list[Policy], AfterValidator(filled)] = Field(
        ["position", "gate", "none"],
        description="who is dropped from a full expert: later tokens, smaller weights, or nobody; "
        "the last has no capacity",
    )
    zipf_exponent: float = Field(
        1.0, gt=0, description="the r-th expert is wanted in proportion to r to the minus this"
    )
    num_tokens: int = Field(
        2048, ge=1, description="routed at a time", json_schema_extra=unit("tokens")
    )
    seq_len: int = Field(
        128,
        ge=1,
        description="of their sequences; position decides",
        json_schema_extra=unit("tokens"),
    )
    dim: int = Field(128, ge=1, description="width of a token")
    expert_dim: int = Field(128, ge=1, description="hidden width of one expert")
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="auto: bfloat16 on a GPU, on a CPU the faster of the two"
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="auto: a GPU where there is one"
    )
    threads: int = Field(1, ge=1, description="CPU threads while measuring")
    seed: int = Field(0, ge=0, description="of routings, weights and the order of cells")
    warmup_rounds: int = Field(
        1,
        ge=1,
        description="of every cell, before the clock counts",
        json_schema_extra=unit("rounds"),
    )
    num_rounds: int = Field(
        7,
        ge=2,
        description="of every cell, each with a routing of its own; intervals need six",
        json_schema_extra=unit("rounds"),
    )
    figures: Annotated[list[FigureName], AfterValidator(distinct), drawing("capacity")] = Field(
        [], description="what to draw"
    )

    @model_validator(mode="after")
    def _fits_together(self) -> "CapacitySpec":
        if max(self.top_k) > min(self.num_experts):
            raise ValueError(
                f"top_k={max(self.top_k)} must be in 1..num_experts={min(self.num_experts)}"
            )
        if self.num_tokens % self.seq_len:
            raise ValueError(
                f"num_tokens={self.num_tokens} must be a multiple of seq_len={self.seq_len}"
            )
        if "traces" in self.routings and self.experiment is None:
            raise ValueError("routings: 'traces' needs an experiment to take them from; name it")
        return self

    def cells(self) -> Iterator[CapacityCellSpec]:
        """Cells of the routings that nobody trained; those of traces are known with the traces."""
        names = [name for name in ("normal", "zipf") if name in self.routings]
        for name, num_experts, top_k in itertools.product(names, self.num_experts, self.top_k):
            yield from self.at(
                CapacityCellSpec(
                    routing=name,
                    router=None,
                    num_experts=num_experts,
                    top_k=top_k,
                    capacity_factor=None,
                    policy=DROPLESS,
                )
            )

    def at(self, cell: CapacityCellSpec) -> Iterator[CapacityCellSpec]:
        """A routing at every capacity factor and policy that this room asks for."""
        for policy in self.policies:
            factors = [None] if policy == DROPLESS else self.capacity_factors
            for factor in factors:
                yield cell.model_copy(update={"policy": policy, "capacity_factor": factor})
