"""The config of rank stability: what is drawn of it; what it compares are the experiments."""

from typing import Annotated

from pydantic import AfterValidator, Field

from moebench.spec.base import RoomSpec
from moebench.spec.kinds import FigureName, distinct, drawing


class RankStabilitySpec(RoomSpec):
    """Do the routers keep their order from one experiment to the next?"""

    figures: Annotated[
        list[FigureName],
        AfterValidator(distinct),
        drawing("rank_stability", "ranks", "distribution"),
    ] = Field(["rank_stability"], description="what to draw")
