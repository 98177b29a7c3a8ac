"""Routing traces: who went where on held-out text, compact, and readable without torch.

Shapes: W windows of S tokens, hence T = W * S tokens, numbered window by window; M assignments
requested by the router of one layer, in the order in which it made them.
"""

import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from moebench import records

State = Literal["untrained", "trained"]
STATES: tuple[State, ...] = ("untrained", "trained")

_INDEX, _TOKENS = "index", "token_id_WS"
_ARRAYS = ("token_M", "expert_M", "weight_M", "is_kept_M")


@dataclass(frozen=True, kw_only=True)
class Trace:
    """What the router of one layer asked for, and what capacity left of it.

    Capacity was shared by the ``pool`` windows of a batch, as in training.
    """

    router: str
    seed: int
    state: State
    layer: int
    num_experts: int
    top_k: int
    capacity_factor: float
    drop_policy: str
    pool: int  # windows of a batch
    num_tied: (
        int | None
    )  # tokens whose K-th and next scores are equal; None where none is looked at
    token_M: NDArray[np.uint32]
    expert_M: NDArray[np.uint16]
    weight_M: NDArray[np.float32]
    is_kept_M: NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Traces:
    """The traces of one experiment, all of the same text."""

    experiment: str
    token_id_WS: NDArray[np.uint32]
    traces: Sequence[Trace]


def write(traces: Traces, path: str | Path) -> None:
    """Write traces as one compressed file; equal traces give equal bytes."""
    index = []
    arrays: dict[str, NDArray[Any]] = {_TOKENS: traces.token_id_WS}
    for number, trace in enumerate(traces.traces):
        facts = asdict(trace)
        for name in _ARRAYS:
            arrays[f"{name}/{number}"] = facts.pop(name)
        index.append(facts)
    text = json.dumps({"experiment": traces.experiment, "traces": index}, sort_keys=True)
    buffer = io.BytesIO()
    arrays[_INDEX] = np.array(text)
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    records.write_bytes(buffer.getvalue(), path)


def read(path: str | Path) -> Traces:
    """Read a file of traces."""
    with np.load(path, allow_pickle=False) as file:
        index = json.loads(str(file[_INDEX]))
        return Traces(
            experiment=index["experiment"],
            token_id_WS=file[_TOKENS],
            traces=[
                Trace(**facts, **{name: file[f"{name}/{number}"] for name in _ARRAYS})
                for number, facts in enumerate(index["traces"])
            ],
        )
