"""From the rows of all ranks to the table of cells.

Shapes: B blocks, N calls of a block, D draws.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from moebench import tables
from moebench.analysis.parallel.schemas import CELL, COLLECTIVES, PARALLEL, PARTS
from moebench.analysis.statistics import CONFIDENCE, FEWEST_ROUNDS, Array
from moebench.records import Row

NUM_DRAWS = 2000
SETTING = ("device", "dtype", "threads", "num_cores")
COMMUNICATION = ("comm_calls", "comm_bytes", "comm_s")

Statistic = Callable[..., NDArray[np.float64]]
Cell = tuple[Any, ...]


def tabulate_cells(rows: Sequence[Row]) -> pd.DataFrame:
    """One line per cell and sweep that asks for it: calls of all blocks, communication, memory.

    Raises ValueError for a cell without calls or without memory, for a block that stands twice or
    holds another number of calls, and for a cell that was measured under two settings.
    """
    calls, memory = _by_cell(rows, "call"), _by_cell(rows, "memory")
    for found, other, what in (
        (calls, memory, "was timed, but its memory was not measured"),
        (memory, calls, "has its memory measured, but was not timed"),
    ):
        for cell in found.keys() - other.keys():
            raise ValueError(f"{_name(cell)} {what}; measure it again")
    lines = [
        {"sweep": sweep, **line}
        for cell in calls
        for line in [_line(cell, calls[cell], memory[cell])]
        for sweep in memory[cell][0].spec["sweeps"]
    ]
    table = pd.DataFrame(lines).sort_values(["sweep", *CELL], ignore_index=True)
    return tables.check(table, PARALLEL)


def duration_stats(duration_BN: Array) -> dict[str, float | int]:
    """What a cell's calls say of its duration, in seconds.

    The intervals resample blocks, not calls: the calls of a block share the moment at which they
    were made. Below six blocks there is none.
    """
    B, N = duration_BN.shape
    mean_low_s, mean_high_s = block_interval(duration_BN, np.mean)
    median_low_s, median_high_s = block_interval(duration_BN, np.median)
    rest = np.median(duration_BN[1:]) if B > 1 else np.nan
    return {
        "min_duration_s": float(duration_BN.min()),
        "median_duration_s": float(np.median(duration_BN)),
        "median_low_s": median_low_s,
        "median_high_s": median_high_s,
        "mean_duration_s": float(duration_BN.mean()),
        "mean_low_s": mean_low_s,
        "mean_high_s": mean_high_s,
        "max_duration_s": float(duration_BN.max()),
        "first_block_ratio": float(np.median(duration_BN[0]) / rest),
        "halves_ratio": halves_ratio(duration_BN),
        "num_calls": B * N,
        "num_blocks": B,
    }


def halves_ratio(duration_BN: Array) -> float:
    """Median of the later half of the blocks over that of the earlier half; NaN for one block.

    Blocks are spread over the whole job, so this is how far a cell repeats within it.
    """
    half = len(duration_BN) // 2
    if half == 0:
        return float("nan")
    return float(np.median(duration_BN[-half:]) / np.median(duration_BN[:half]))


def block_interval(x_BN: Array, statistic: Statistic) -> tuple[float, float]:
    """Percentile bootstrap interval over whole blocks; NaN from fewer than FEWEST_ROUNDS.

    A statistic of so few blocks may lie outside its own draws' quantiles where they are lopsided;
    the interval is then widened to it.
    """
    B = len(x_BN)
    if B < FEWEST_ROUNDS:
        return float("nan"), float("nan")

    def of_blocks(block_DB: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
        return statistic(x_BN[block_DB.astype(np.intp)], axis=(-2, -1))

    found = stats.bootstrap(
        (np.arange(B),),
        of_blocks,
        n_resamples=NUM_DRAWS,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    value = float(statistic(x_BN, axis=(-2, -1)))
    return min(float(found.low), value), max(float(found.high), value)


def _by_cell(rows: Sequence[Row], kind: str) -> dict[Cell, list[Row]]:
    found: dict[Cell, list[Row]] = {}
    for row in rows:
        if row.kind == kind:
            found.setdefault(tuple(row.spec[key] for key in CELL), []).append(row)
    if not found:
        raise ValueError(f"there is no {kind} row among the given rows; run a sweep first")
    return found


def _line(cell: Cell, calls: Sequence[Row], memory: Sequence[Row]) -> dict[str, Any]:
    identity = dict(zip(CELL, cell, strict=True))
    durations = duration_stats(_blocks(cell, calls))
    return {
        **identity,
        **_setting(cell, [*calls, *memory]),
        **durations,
        "throughput_samples_per_s": identity["batch_size"] / durations["median_duration_s"],
        **_communication(cell, calls),
        **_parts([row.values["parts"] for row in calls]),
        "warmup_calls": calls[0].values["warmup_calls"],
        "is_stable": calls[0].values["is_stable"],
        **_memory(cell, memory),
        "predicted_duration_s": None,
    }


def _blocks(cell: Cell, calls: Sequence[Row]) -> Array:
    """Durations (B, N) of a cell's calls, in the order of blocks."""
    by_block = {row.values["block"]: row.values["durations_s"] for row in calls}
    if len(by_block) < len(calls):
        raise ValueError(f"a block of {_name(cell)} stands twice; give each file once")
    if len({len(durations) for durations in by_block.values()}) > 1:
        raise ValueError(f"blocks of {_name(cell)} hold different numbers of calls")
    return np.array([by_block[block] for block in sorted(by_block)], dtype=float)


def _setting(cell: Cell, rows: Sequence[Row]) -> dict[str, Any]:
    settings = [{key: row.setting[key] for key in (*SETTING, "is_oversubscribed")} for row in rows]
    if any(each != settings[0] for each in settings):
        raise ValueError(f"rows of {_name(cell)} differ in their setting; measure them together")
    setting = settings[0]
    return {"oversubscribed": setting.pop("is_oversubscribed"), **setting}


def _communication(cell: Cell, calls: Sequence[Row]) -> dict[str, Any]:
    """Calls and bytes of one call, the same in every block, and the median time of them."""
    for key in ("comm_calls", "comm_bytes"):
        if len({row.values[key] for row in calls}) > 1:
            raise ValueError(f"blocks of {_name(cell)} differ in {key}")
    first = calls[0].values
    median_s = float(np.median([row.values["comm_s"] for row in calls]))
    return {key: first[key] for key in COMMUNICATION} | {"comm_s": median_s}


def _parts(parts: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Mean over blocks of where the time goes; a collective that is not called takes none."""
    unknown = {name for each in parts for name in each} - set(PARTS)
    assert not unknown, f"parts without a column: {unknown}"
    absent = {f"{collective}_s": 0.0 for collective in COLLECTIVES}
    filled = [{**absent, **each} for each in parts]
    return {part: float(np.mean([each[part] for each in filled])) for part in PARTS}


def _memory(cell: Cell, rows: Sequence[Row]) -> dict[str, int]:
    if len(rows) > 1:
        raise ValueError(f"the memory of {_name(cell)} stands twice; give each file once")
    values = dict(rows[0].values)
    predicted = ("weights", "activations", "buffers")
    values["predicted_memory_bytes"] = sum(values[f"predicted_{each}_bytes"] for each in predicted)
    return {key: value for key, value in values.items() if key in PARALLEL.columns}


def _name(cell: Cell) -> str:
    """Short name of a cell, for messages."""
    of = dict(zip(CELL, cell, strict=True))
    return (
        f"{of['layout']} ({of['direction']}, {of['world_size']} ranks, "
        f"batch_size={of['batch_size']}, top_k={of['top_k']}, feature_dim={of['feature_dim']})"
    )
