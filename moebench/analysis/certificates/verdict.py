"""What a router's routing depends on, from what was read when parts of a text were replaced."""

from collections.abc import Mapping
from typing import Any

from moebench.analysis.schemas import CAUSALITIES

TOKEN_LOCAL, PREFIX_CAUSAL, BATCH_COUPLED, NON_CAUSAL = CAUSALITIES
# In double precision and another order of summation an output moves by some 1e-15 of the largest.
EXACT = 1e-9
# Leaks below this are not told from noise by an interval that holds nineteen times in twenty, when
# a dozen routers are tried; the leaks that are known of are ten times as large.
SMALLEST_LEAK_NATS = 0.005


def found(readings: Mapping[str, Any]) -> str:
    """The class that readings show: the largest of what any of them shows.

    ``readings`` has a change of output and a share of changed routes for each probe, and the lower
    end of the leak's interval, null where no leak was sought.
    """
    leak = readings["leak_nats_low"]
    if _moved(readings, "future") or (leak is not None and leak > SMALLEST_LEAK_NATS):
        return NON_CAUSAL
    if _moved(readings, "mates"):
        return BATCH_COUPLED
    return PREFIX_CAUSAL if _moved(readings, "past") else TOKEN_LOCAL


def is_lie(declared: str, found: str) -> bool:
    """Whether routing depends on more than its router says."""
    return CAUSALITIES.index(found) > CAUSALITIES.index(declared)


def _moved(readings: Mapping[str, Any], probe: str) -> bool:
    return bool(
        readings[f"{probe}_output_change"] > EXACT or readings[f"{probe}_routes_changed"] > 0
    )
