"""Readings of a capacity room that nobody took: three routings, two capacities and policies."""

import math

from moebench.records import Row
from tests.rows import SETTING

TOKENS, EXPERTS, TOP_K, DIM = 800, 8, 2, 16  # so that every share below is a whole number of rows
LOST = {  # share of the assignments dropped at capacity factors 1.0 and 1.25
    "normal": (0.01, 0.0),
    "zipf": (0.25, 0.2),
    "trace": (0.15, 0.1),
}


def readings(num_rounds=6):
    """One row per cell and round; a layer takes 2 us for each row, a little more each round."""
    rows = []
    for routing, lost in LOST.items():
        cells = [("none", None, 0.0)]
        cells += [
            (policy, factor, share)
            for policy in ("position", "gate")
            for factor, share in zip((1.0, 1.25), lost, strict=True)
        ]
        for policy, factor, share in cells:
            rows += [_row(routing, policy, factor, share, turn) for turn in range(num_rounds)]
    return rows


def _row(routing, policy, factor, share, turn):
    asked = TOKENS * TOP_K
    capacity = None if factor is None else math.ceil(factor * asked / EXPERTS)
    num_rows = asked if capacity is None else EXPERTS * capacity
    spec = {
        "experiment": "capacity",
        "routing": routing,
        "router": "softk" if routing == "trace" else None,
        "num_experts": EXPERTS,
        "top_k": TOP_K,
        "policy": policy,
        "capacity_factor": factor,
        "num_tokens": TOKENS,
        "seq_len": 10,
        "dim": DIM,
        "expert_dim": DIM,
    }
    over = {"normal": 1.0, "zipf": 2.0, "trace": 1.5}[routing]
    values = {
        "round": turn,
        "layout": "dropless" if capacity is None else "padded",
        "capacity": capacity,
        "requested": asked,
        "kept": round(asked * (1 - share)),
        "unrouted": round(TOKENS * share * (0.4 if policy == "position" else 0.1)),
        "largest_load": round(over * asked / EXPERTS),
        "num_rows": num_rows,
        "buffer_bytes": num_rows * DIM * 4,
        "peak_allocated_bytes": None,
        "pack_time_s": 0.001 * (1 + 0.01 * (turn - (2.5))),
        "layer_time_s": 2e-6 * num_rows * (1 + 0.01 * (turn - 2.5)),
    }
    return Row(kind="packing", spec=spec, setting=dict(SETTING), values=values)
