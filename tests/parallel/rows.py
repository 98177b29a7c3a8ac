"""Rows of sweeps that never ran, with numbers that a test chooses."""

from moebench.analysis.parallel.schemas import PARTS
from moebench.records import Row
from tests.rows import SETTING

SPEC = {
    "experiment": "parallel",
    "sweeps": ["parallel_batch"],
    "layout": "tensor",
    "communicator": "mpi",
    "backend": "mpi",
    "world_size": 4,
    "num_experts": 4,
    "batch_size": 8,
    "top_k": 2,
    "feature_dim": 32,
    "hidden_dim": 128,
    "output_dim": 64,
    "direction": "forward",
}


def setting(world_size):
    cores = SETTING["num_cores"]
    return SETTING | {"world_size": world_size, "is_oversubscribed": world_size > cores}


def call(block, durations_s, values=None, **spec):
    """Calls of one block of a cell."""
    spec = SPEC | spec
    measured = {
        "block": block,
        "durations_s": list(durations_s),
        "warmup_calls": 11,
        "is_stable": True,
        "comm_calls": 1,
        "comm_bytes": 2048,
        "comm_s": 1e-5,
        "parts": dict.fromkeys(PARTS, 0.0) | {"experts_s": 2e-4, "all_reduce_s": 1e-5},
        "messages": [["all_reduce", 2048, spec["world_size"]]],
    }
    return Row(
        kind="call",
        spec=spec,
        setting=setting(spec["world_size"]),
        values=measured | (values or {}),
    )


def memory(**spec):
    """Memory of a cell."""
    spec = SPEC | spec
    values = {
        "peak_memory_bytes": 300_000,
        "peak_resident_bytes": 200_000_000,
        "predicted_weights_bytes": 100_000,
        "predicted_activations_bytes": 50_000,
        "predicted_buffers_bytes": 2_048,
    }
    return Row(kind="memory", spec=spec, setting=setting(spec["world_size"]), values=values)


def cell(duration_BN, **spec):
    """All rows of one cell, from its calls' durations, a list for each block."""
    calls = [call(block, durations_s, **spec) for block, durations_s in enumerate(duration_BN)]
    return [*calls, memory(**spec)]
