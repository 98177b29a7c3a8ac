"""What is traced of routers, and the room that asks what their experts have learnt."""

from typing import Annotated

from pydantic import AfterValidator, Field

from moebench.spec.base import RoomSpec, Spec
from moebench.spec.kinds import ExperimentName, FigureName, distinct, drawing, unit


class TracingSpec(Spec):
    """How much held-out text the routing traces hold; every router is traced on the same."""

    num_tokens: int = Field(
        16384,
        ge=1,
        description="traced, rounded up to whole batches; less where the held-out text ends before",
        json_schema_extra=unit("tokens"),
    )


class SpecialisationSpec(RoomSpec):
    """What did the experts learn? From the traces of one experiment, trained and untrained."""

    experiment: ExperimentName = Field(description="whose routers, at the first point of its sweep")
    passage_tokens: int = Field(
        96, ge=1, description="shown one by one", json_schema_extra=unit("tokens")
    )
    num_shuffles: int = Field(
        200, ge=40, description="routings laid over other windows, which show what chance gives"
    )
    seed: int = Field(0, ge=0, description="of the shuffles")
    figures: Annotated[
        list[FigureName],
        AfterValidator(distinct),
        drawing("specialisation", "load", "shares", "coactivation", "passage"),
    ] = Field([], description="what to draw")
