"""Sweeps: the sizes at which layouts are compared, as lists of values along axes."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from moebench import registry
from moebench.spec.base import Spec
from moebench.spec.kinds import LayoutName, filled, unit
from moebench.spec.layout_jobs import Direction

AS_RANKS = "ranks"  # as many experts as ranks
AXES = ("world_size", "num_experts", "batch_size", "top_k", "feature_dim")


_NUMBERS = BeforeValidator(lambda value: registry.spelled(value, list[int]))
Axis = Annotated[list[Annotated[int, Field(ge=1)]], _NUMBERS, AfterValidator(filled)]
ExpertsAxis = Annotated[
    list[Annotated[int, Field(ge=1)] | Literal["ranks"]],
    _NUMBERS,
    AfterValidator(filled),
    WithJsonSchema({"type": "array", "kind": "list of: integer >= 1 or ranks"}),
]
Layouts = Annotated[list[LayoutName], AfterValidator(filled)]
Directions = Annotated[list[Direction], AfterValidator(filled)]


class SweepSpec(Spec):
    """Every combination of the values of its axes; what is not named is as above."""

    world_size: Axis | None = Field(None, description="ranks")
    num_experts: ExpertsAxis | None = Field(None, description="experts; `ranks`: as many as ranks")
    batch_size: Axis | None = Field(None, description="rows", json_schema_extra=unit("samples"))
    top_k: Axis | None = Field(None, description="experts per row")
    feature_dim: Axis | None = Field(None, description="width of a row")
    layouts: Layouts | None = Field(None, description="instead of those above")
    directions: Directions | None = Field(None, description="instead of those above")

    @property
    def axes(self) -> dict[str, list[Any]]:
        """The axes that this sweep moves along, with their values."""
        return {key: value for key, value in self if key in AXES and value is not None}
