"""Peak memory of a cell on every rank, in a pass of its own, beside what its layout predicts.

Shapes: B rows of the batch, K choices.
"""

import gc
from collections.abc import Callable
from typing import Any

import torch

from moebench import machine, registry
from moebench.parallel.cells import Bench, network_cell
from moebench.parallel.communicators.base import Communicator
from moebench.parallel.experts import route
from moebench.parallel.layouts.base import Layout
from moebench.parallel.weights import Weights
from moebench.setting import Setting
from moebench.spec import LayoutCellSpec


def peak_memory(cell: LayoutCellSpec, ranks: Communicator, setting: Setting) -> dict[str, Any]:
    """Largest over ranks, in bytes: beyond what a rank held before its layout, and of the process.

    Weights, batch, and one call of the layout are inside; libraries were loaded before. On a GPU it
    is the memory allocated there. MachineError where the system does not tell.
    """

    def build_and_call() -> None:
        bench = Bench(cell, ranks, setting)
        if not bench.arm.is_alone or ranks.rank == 0:
            bench.call()

    ranks.wait_idle()
    peak = _peak_allocated if ranks.device.type == "cuda" else _peak_resident
    before_bytes, peak_bytes = peak(build_and_call)
    ranks.wait_idle()
    own = torch.tensor([[peak_bytes - before_bytes, peak_bytes]], device=ranks.device)
    most_C = ranks.all_gather(own, [1] * ranks.world_size).amax(dim=0)
    return {
        "peak_memory_bytes": int(most_C[0]),
        "peak_resident_bytes": int(most_C[1]),
        **predicted_memory(cell),
    }


def predicted_memory(spec: LayoutCellSpec) -> dict[str, int]:
    """What the layout predicts for the rank that holds most, with the batch, in bytes.

    A backward pass adds a gradient to every weight, and to the batch.
    """
    cell = network_cell(spec)
    weights = Weights(network=cell.network)
    x_BF = weights.inputs(spec.batch_size)
    expert_BK = route(x_BF, *weights.gate(), spec.top_k).expert_BK
    layout = registry.load(Layout, spec.layout)
    largest = max(
        (layout.memory(cell, rank, expert_BK) for rank in range(spec.world_size)),
        key=lambda each: each.weights_bytes + each.activations_bytes + each.buffers_bytes,
    )
    copies = 2 if spec.direction == "forward_backward" else 1
    return {
        "predicted_weights_bytes": copies * largest.weights_bytes,
        "predicted_activations_bytes": copies * x_BF.nbytes + largest.activations_bytes,
        "predicted_buffers_bytes": largest.buffers_bytes,
    }


def _peak_resident(run: Callable[[], None]) -> tuple[int, int]:
    """Resident memory before, and its peak meanwhile."""
    gc.collect()
    machine.give_back_freed_memory()
    if not machine.restart_peak_resident():
        raise machine.MachineError(
            "the peak memory of a cell is read from /proc, which this system does not have; "
            "measure on Linux, or on GPUs"
        )
    before_bytes, _ = machine.resident_bytes()
    run()
    return before_bytes, machine.resident_bytes()[1]


def _peak_allocated(run: Callable[[], None]) -> tuple[int, int]:
    """Memory allocated on the GPU before, and its peak meanwhile."""
    gc.collect()
    torch.cuda.reset_peak_memory_stats()
    before_bytes = torch.cuda.memory_allocated()
    run()
    return before_bytes, torch.cuda.max_memory_allocated()
