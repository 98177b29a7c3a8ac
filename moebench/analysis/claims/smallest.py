"""The smallest effect that matters: what lies below it makes no difference to anybody."""

import math
from typing import NamedTuple


class Smallest(NamedTuple):
    """In the unit of the numbers that are compared, or as a share of the larger of them."""

    value: float
    is_share: bool

    def __str__(self) -> str:
        return f"{self.value * 100:g} %" if self.is_share else f"{self.value:g}"


def smallest_effect(given: str | float) -> Smallest:
    """Read ``2 %`` as a share and 0.02 in the unit of the numbers; ValueError for anything else."""
    text = str(given).strip()
    is_share = text.endswith("%")
    try:
        value = float(text.removesuffix("%"))
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise ValueError(f"{given!r} is no smallest effect; write 0.02, in the unit, or 2 %")
    return Smallest(value / 100 if is_share else value, is_share)
