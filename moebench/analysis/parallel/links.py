"""Links: what a collective costs among the ranks of this machine, as latency and bandwidth.

The model is time = latency + bytes / bandwidth per collective and number of ranks, with the bytes
that a rank sends. Ranks that share cores are slow to answer each other; that is in the figures as
it was measured, and the column ``is_oversubscribed`` says so.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from moebench import tables
from moebench.analysis.parallel import positive_sum
from moebench.analysis.parallel.derived import LINKS
from moebench.records import Row

Array = NDArray[np.float64]


class Message(NamedTuple):
    """One collective of a layout, in each of C cells."""

    collective: str
    bytes_C: Array  # that a rank hands over, as communicators count them
    ranks_C: Array  # that take part; one alone sends nothing
    calls_C: Array  # how often, one after the other


FEWEST_SIZES = 3  # two parameters, and something left to judge them by


class LinksLike(ABC):
    """What collectives cost somewhere."""

    @abstractmethod
    def times_s(self, messages: Sequence[Message], num_cells: int) -> Array:
        """Time (C) of collectives one after the other; NaN where one of them is not known."""


@dataclass(frozen=True)
class Links(LinksLike):
    """Latency in s and time per byte in s of each collective at each number of ranks."""

    costs: Mapping[tuple[str, int], tuple[float, float]]

    @classmethod
    def of(cls, table: pd.DataFrame) -> "Links":
        """Links as the table of fits holds them."""
        keys = zip(table["collective"], table["world_size"], strict=True)
        values = zip(table["latency_s"], table["time_per_byte_s"], strict=True)
        return cls(dict(zip(keys, values, strict=True)))

    def times_s(self, messages: Sequence[Message], num_cells: int) -> Array:
        """Time (C) of collectives one after the other; NaN where one of them was not probed."""
        total_C = np.zeros(num_cells)
        for collective, bytes_C, ranks_C, calls_C in messages:
            for num_ranks in np.unique(ranks_C):
                latency_s, time_per_byte_s = self._cost(collective, int(num_ranks))
                one_C = latency_s + bytes_C * time_per_byte_s
                total_C += np.where(ranks_C == num_ranks, calls_C * one_C, 0.0)
        return total_C

    def _cost(self, collective: str, num_ranks: int) -> tuple[float, float]:
        if num_ranks == 1:
            return 0.0, 0.0
        return self.costs.get((collective, num_ranks), (np.nan, np.nan))


def fit_links(rows: Sequence[Row]) -> pd.DataFrame:
    """One line per collective and number of ranks, from ``probe`` rows.

    Raises ValueError where a collective was probed at too few message sizes.
    """
    probes = probed(rows)
    found = [
        _fitted(dict(zip(KEYS, key, strict=True)), sizes)
        for key, sizes in probes.groupby(KEYS, sort=True)
    ]
    return tables.check(pd.DataFrame(found), LINKS)


KEYS = ["communicator", "collective", "world_size", "is_oversubscribed"]


def probed(rows: Sequence[Row]) -> pd.DataFrame:
    """Median time of each collective, number of ranks and message size."""
    probes = [row for row in rows if row.kind == "probe"]
    if not probes:
        raise ValueError("there is no probe among the given rows; run the rule probe_links first")
    readings = pd.DataFrame(
        [
            {
                "communicator": row.spec["communicator"],
                "collective": row.values["collective"],
                "world_size": row.values["world_size"],
                "is_oversubscribed": row.setting["is_oversubscribed"],
                "message_bytes": row.values["message_bytes"],
                "duration_s": duration_s,
            }
            for row in probes
            for duration_s in row.values["durations_s"]
        ]
    )
    return readings.groupby([*KEYS, "message_bytes"])["duration_s"].median().reset_index()


def _fitted(key: dict[str, Any], sizes: pd.DataFrame) -> dict[str, Any]:
    if len(sizes) < FEWEST_SIZES:
        raise ValueError(
            f"{key['collective']} at {key['world_size']} ranks was probed at {len(sizes)} message "
            f"sizes; latency and bandwidth need at least {FEWEST_SIZES}"
        )
    bytes_C = sizes["message_bytes"].to_numpy(float)
    time_C = sizes["duration_s"].to_numpy(float)
    term_CJ = np.stack([np.ones_like(bytes_C), bytes_C], axis=1)
    latency_s, time_per_byte_s = positive_sum.fit(term_CJ, time_C)
    predicted_C = latency_s + bytes_C * time_per_byte_s
    return key | {
        "latency_s": latency_s,
        "time_per_byte_s": time_per_byte_s,
        "bandwidth_bytes_per_s": 1 / time_per_byte_s if time_per_byte_s else np.nan,
        "num_sizes": len(sizes),
        "median_relative_error": float(
            np.median(positive_sum.relative_errors(predicted_C, time_C))
        ),
    }
