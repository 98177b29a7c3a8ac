"""Rows and cells of a machine whose costs are known exactly, with noise from a seed."""

import itertools

import numpy as np
import pandas as pd

from moebench.analysis.parallel.links import Links
from moebench.analysis.parallel.model import TERMS, terms, with_split
from moebench.analysis.parallel.schemas import COLLECTIVES, PARTS
from moebench.records import Row

NUM_CORES = 4
LATENCY_S = {2: 3e-6, 4: 8e-6, 8: 60e-6}
TIME_PER_BYTE_S = {2: 0.3e-9, 4: 0.5e-9, 8: 1.5e-9}
MESSAGE_BYTES = tuple(1 << exponent for exponent in range(10, 25, 2))
LAYOUTS = ("single", "single_loop", "tensor", "expert_replicated")
# call_s, expert_s, operation_s, byte_s, collective_factor
COSTS = dict(zip(TERMS, (40e-6, 20e-6, 8e-12, 60e-12, 1.3), strict=True))
LINKS = Links(
    {
        (collective, ranks): (LATENCY_S[ranks], TIME_PER_BYTE_S[ranks])
        for collective in COLLECTIVES
        for ranks in LATENCY_S
    }
)


def probe_rows(noise=0.0, seed=0):
    rng = np.random.default_rng(seed)
    for collective, ranks, size in itertools.product(COLLECTIVES, LATENCY_S, MESSAGE_BYTES):
        truth = LATENCY_S[ranks] + size * TIME_PER_BYTE_S[ranks]
        yield Row(
            kind="probe",
            spec={"experiment": "parallel", "communicator": "mpi", "world_size": ranks},
            setting={"device": "cpu", "dtype": "float32", "is_oversubscribed": ranks > NUM_CORES},
            values={
                "collective": collective,
                "world_size": ranks,
                "message_bytes": size,
                "durations_s": list(truth * np.exp(rng.normal(0, noise, 5))),
            },
        )


def links_table():
    """The links as the table of fits would hold them."""
    return pd.DataFrame(
        [
            {"collective": collective, "world_size": ranks, "latency_s": latency_s,
             "time_per_byte_s": time_per_byte_s}
            for (collective, ranks), (latency_s, time_per_byte_s) in LINKS.costs.items()
        ]
    )  # fmt: skip


def sizes():
    """Batch by width at each number of ranks, and top-k, and ranks, as the sweeps have them."""
    yield from (
        {"sweep": "parallel_batch", "world_size": ranks, "batch_size": batch, "feature_dim": width}
        for ranks, batch, width in itertools.product((2, 4, 8), (8, 64, 512, 4096), (32, 256, 2048))
    )
    for top_k in (1, 2, 4):
        yield {"sweep": "parallel_topk", "world_size": 4, "top_k": top_k}
    for ranks in (2, 4, 8):
        yield {"sweep": "parallel_ranks", "world_size": ranks, "num_experts": 8}
        yield {"sweep": "ranks_experts", "world_size": ranks, "num_experts": ranks}


def cells(noise=0.02, seed=0, layouts=LAYOUTS, factors=None):
    """Table ``parallel`` without predictions; ``factors`` multiply the durations of a layout."""
    rng = np.random.default_rng(seed)
    base = {
        "num_experts": 4, "batch_size": 8, "top_k": 2, "feature_dim": 32, "hidden_dim": 128,
        "output_dim": 64, "communicator": "mpi", "backend": "mpich", "threads": 1,
        "num_cores": NUM_CORES, "device": "cpu", "dtype": "float32",
    }  # fmt: skip
    arms = list(itertools.product(layouts, ("forward", "forward_backward")))
    table = pd.DataFrame(
        [
            base | size | {"layout": layout, "direction": direction}
            for size in sizes()
            for layout, direction in arms
        ]
    )
    table["oversubscribed"] = table["world_size"] > NUM_CORES
    prepared = with_split(table, 0.0)
    truth = pd.Series(0.0, index=table.index)
    for (_, direction), group in prepared.groupby(["layout", "direction"]):
        factor = 1.0 if direction == "forward" else 2.5
        truth[group.index] = factor * (terms(group, LINKS) @ np.array(list(COSTS.values())))
    for layout, factor in (factors or {}).items():
        truth[table["layout"] == layout] *= factor
    return _with_times(table, truth * np.exp(rng.normal(0, noise, len(table))), noise or 1e-4)


def _with_times(table, median_s, noise):
    table["median_duration_s"] = table["mean_duration_s"] = median_s
    for name, factor in (
        ("min_duration_s", 1 - 3 * noise),
        ("max_duration_s", 1 + 5 * noise),
        ("median_low_s", 1 - 2 * noise),
        ("median_high_s", 1 + 2 * noise),
        ("mean_low_s", 1 - 2 * noise),
        ("mean_high_s", 1 + 2 * noise),
    ):
        table[name] = median_s * factor
    table["throughput_samples_per_s"] = table["batch_size"] / median_s
    table["predicted_duration_s"] = np.nan
    table["first_block_ratio"] = table["halves_ratio"] = 1.0
    table["num_blocks"] = 6
    work = {name: 0.1 for name in PARTS if not name.startswith(("all_", "reduce", "broad"))}
    for part in PARTS:
        table[part] = median_s * work.get(part, 0.0)
    is_parallel = ~table["layout"].str.startswith("single")
    table["all_reduce_s"] = median_s * np.where(is_parallel, 0.5, 0.0)
    weights = table["num_experts"] * table["feature_dim"] * table["hidden_dim"] * 4
    table["predicted_memory_bytes"] = weights
    table["peak_memory_bytes"] = (weights * 1.1).astype(int)
    return table
