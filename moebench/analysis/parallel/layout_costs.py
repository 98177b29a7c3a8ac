"""What each layout does, counted as its own ``communication`` does, over many cells at once.

A new layout has no prediction until it has an entry in ``LAYOUTS``. Letters as in ``costs``; rows
are exchanged between D ranks, and T ranks share the hidden units of the same experts.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
import pandas as pd

from moebench.analysis.parallel.costs import ITEM_BYTES, Costs, Sizes, Work, mix
from moebench.analysis.parallel.links import Array, Message

INDEX_BYTES = 8


def is_known(layout: str) -> bool:
    """Whether the costs of a layout are known here."""
    return layout in LAYOUTS


def work(layout: str, cells: pd.DataFrame) -> Work:
    """Work of a layout in each cell."""
    return LAYOUTS[layout].work(Sizes.of(cells))


def messages(layout: str, direction: str, cells: pd.DataFrame) -> list[Message]:
    """Collectives of a layout in each cell, one after the other."""
    sizes, costs = Sizes.of(cells), LAYOUTS[layout]
    forward = costs.forward(sizes)
    return [*forward, *costs.backward(sizes)] if direction == "forward_backward" else forward


def _send(collective: str, numbers: Array, ranks: Array, calls: Array | float = 1.0) -> Message:
    return Message(collective, ITEM_BYTES * numbers, ranks, np.broadcast_to(calls, ranks.shape))


def _gate(s: Sizes) -> Array:
    return s.E * (s.F + 1)


def _nothing(s: Sizes) -> list[Message]:
    return []


def _single(s: Sizes) -> Work:
    return dataclasses.replace(mix(s, s.E, s.H, s.B), is_alone=True)


def _single_loop(s: Sizes) -> Work:
    choices, width = s.B * s.K, s.H * (s.F + s.O)
    return Work(
        experts_C=choices,
        flops_C=2 * s.B * s.E * s.F + 2 * choices * width,
        bytes_C=ITEM_BYTES * (_gate(s) + choices * (width + s.F + s.H + s.O)),
        is_alone=True,
    )


def _tensor(s: Sizes) -> Work:
    return mix(s, s.E, np.ceil(s.H / s.W), s.B)


def _expert_replicated(s: Sizes) -> Work:
    return mix(s, np.ceil(s.E / s.W), s.H, s.B)


def _output(s: Sizes) -> list[Message]:
    return [_send("all_reduce", s.B * s.O, s.W)]


def _input_and_gate(s: Sizes) -> list[Message]:
    return [_send("all_reduce", s.B * s.F + _gate(s), s.W)]


def _rows_and_output(s: Sizes) -> list[Message]:
    return [_send("all_gather", np.ceil(s.B / s.W) * (s.F + 2 * s.K), s.W), *_output(s)]


def _rows_and_gate(s: Sizes) -> list[Message]:
    return [
        _send("reduce_scatter", s.B * (s.F + 2 * s.K), s.W),
        _send("all_gather", np.ceil(s.B / s.W) * s.F, s.W),
        _send("all_reduce", _gate(s), s.W),
    ]


def _tensor_gathered(s: Sizes) -> Work:
    """Expert after expert, each for the rows that chose it."""
    choices = s.B * s.K
    own = np.ceil(s.H / s.W) * s.F + np.ceil(s.O / s.W) * s.H
    made = choices * (s.F + 3 * s.H + 4 * s.O)
    return Work(
        experts_C=s.E,
        flops_C=2 * s.B * s.E * s.F + 2 * choices * own,
        bytes_C=ITEM_BYTES * (_gate(s) + s.E * own + s.B * (s.F + s.E + s.O) + made),
    )


def _columns(s: Sizes) -> list[Message]:
    rows = s.B * s.K / s.E
    widths = (np.ceil(s.H / s.W), np.ceil(s.O / s.W))
    return [_send("all_gather", rows * width, s.W, s.E) for width in widths]


def _whole_columns(s: Sizes) -> list[Message]:
    rows = s.B * s.K / s.E
    return [_send("all_reduce", rows * width, s.W, s.E) for width in (s.H, s.F)]


def _one(W: Array) -> Array:
    return np.ones_like(W)


def _mesh_columns(W: Array) -> Array:
    """The largest divisor of W up to its square root."""
    return np.array(
        [max(T for T in range(1, int(w**0.5 + 1e-9) + 1) if w % T == 0) for w in W], dtype=float
    )


def _exchanged(columns: Callable[[Array], Array]) -> Costs:
    """Rows go to their experts and answers come back, on a mesh of ranks."""

    def shares(s: Sizes) -> tuple[Array, Array, Array, Array]:
        """Ranks D and T, own rows, and experts of a rank."""
        T = columns(s.W)
        D = s.W / T
        return D, T, np.ceil(s.B / D), np.ceil(s.E / D)

    def own_work(s: Sizes) -> Work:
        D, T, own, L = shares(s)
        come = s.B * s.K * np.minimum(1, L / s.E)
        H = np.ceil(s.H / T)
        moved = 2 * own * s.K * (s.F + s.O) + come * (2 * s.F + H + 3 * s.O)
        return Work(
            experts_C=L,
            flops_C=2 * own * s.E * s.F + 2 * come * H * (s.F + s.O),
            bytes_C=ITEM_BYTES * (_gate(s) + L * H * (s.F + s.O) + moved + s.B * s.O),
        )

    def forward(s: Sizes) -> list[Message]:
        D, T, own, L = shares(s)
        sent, come = own * s.K * (1 - 1 / D), (s.B - own) * s.K / D
        return [
            _send("all_to_all", INDEX_BYTES / ITEM_BYTES * L * (D - 1), D),
            _send("all_to_all", sent * s.F, D),
            _send("all_to_all", come * s.O, D),
            _send("all_reduce", own * s.O, T),
            _send("all_gather", own * s.O, D),
        ]

    def backward(s: Sizes) -> list[Message]:
        D, T, own, _ = shares(s)
        sent, come = own * s.K * (1 - 1 / D), (s.B - own) * s.K / D
        return [
            _send("all_to_all", sent * s.O, D),
            _send("all_to_all", come * s.F, D),
            _send("all_reduce", own * s.F + _gate(s), T),
            _send("all_gather", own * s.F, D),
            _send("all_reduce", _gate(s), D),
        ]

    return Costs(own_work, forward, backward)


LAYOUTS = {
    "single": Costs(_single, _nothing, _nothing),
    "single_loop": Costs(_single_loop, _nothing, _nothing),
    "tensor": Costs(_tensor, _output, _input_and_gate),
    "tensor_batch_split": Costs(_tensor, _rows_and_output, _rows_and_gate),
    "tensor_gathered": Costs(_tensor_gathered, _columns, _whole_columns),
    "expert": _exchanged(_one),
    "expert_replicated": Costs(_expert_replicated, _output, _input_and_gate),
    "expert_tensor": _exchanged(_mesh_columns),
}
