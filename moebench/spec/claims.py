"""The config of the ledger of claims: where they stand, and what is drawn of the verdicts."""

from typing import Annotated

from pydantic import AfterValidator, Field

from moebench.spec.base import RoomSpec
from moebench.spec.kinds import FigureName, distinct, drawing


class ClaimsSpec(RoomSpec):
    """Which statements, published ones and ours, do the data bear out?"""

    file: str | None = Field(
        None, description="your own claims; null: config/claims.yaml of the workflow"
    )
    figures: Annotated[list[FigureName], AfterValidator(distinct), drawing("claims")] = Field(
        [], description="what to draw"
    )
