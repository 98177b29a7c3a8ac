"""What is counted of a layout at a size: experts, operations and bytes of a rank, and messages.

Counted on the busiest rank, in 32-bit numbers, for a routing that loads all experts evenly. Letters
are arrays over cells: W ranks, E experts, B rows of the batch, K choices, F features, H hidden
units, O outputs; N rows and L experts of a rank.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from moebench.analysis.parallel.links import Array, Message

ITEM_BYTES = 4


@dataclass(frozen=True)
class Sizes:
    """Sizes of cells, as arrays."""

    W: Array
    E: Array
    B: Array
    K: Array
    F: Array
    H: Array
    O: Array  # noqa: E741

    @classmethod
    def of(cls, cells: pd.DataFrame) -> "Sizes":
        """Sizes of the cells of a table."""
        columns = (
            *("world_size", "num_experts", "batch_size", "top_k"),
            *("feature_dim", "hidden_dim", "output_dim"),
        )
        return cls(*(cells[name].to_numpy(float) for name in columns))


@dataclass(frozen=True)
class Work:
    """What the busiest rank computes in one forward pass, by cell."""

    experts_C: Array  # called one after the other; 0 where all of them are one product
    flops_C: Array
    bytes_C: Array  # parameters and activations, each once
    is_alone: bool = False  # whether the other ranks sleep meanwhile


def is_fused(s: Sizes, L: Array, H: Array, N: Array) -> NDArray[np.bool_]:
    """Where layouts compute each of their experts for every row (a test compares with them)."""
    needless_flops = 2 * N * L * H * (s.F + s.O) * (1 - s.K / s.E)
    return needless_flops <= (10 + 4 * L) * 450_000


def mix(s: Sizes, L: Array, H: Array, N: Array) -> Work:
    """Routing of N rows, and their mixture of L experts with H hidden units each."""
    fused = is_fused(s, L, H, N)
    chosen = N * s.K * np.minimum(1, L / s.E)
    rows = np.where(fused, N * L, chosen)
    width = H * (s.F + s.O)
    numbers = s.E * s.F + L * width  # parameters
    numbers = numbers + N * (s.F + s.E + s.O)
    numbers = numbers + np.where(fused, 2 * N * L * H, chosen * (2 * s.F + H + 3 * s.O))
    return Work(
        experts_C=np.where(fused, 0.0, L),
        flops_C=2 * N * s.E * s.F + 2 * rows * width,
        bytes_C=ITEM_BYTES * numbers,
    )


@dataclass(frozen=True)
class Costs:
    """What one layout does: its work, and what a rank sends forward and backward."""

    work: Callable[[Sizes], Work]
    forward: Callable[[Sizes], list[Message]]
    backward: Callable[[Sizes], list[Message]]
