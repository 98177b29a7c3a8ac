"""Rule ``measure_capacity``: what each capacity drops, what it costs, and how much of it is room.

Shapes: T tokens, D width, F hidden width of an expert, E experts, C slots per expert.
"""

import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from moebench import machine
from moebench.capacity import drop_over_capacity
from moebench.packing.layouts import ExpertWeights, Packed, combine, pack, run_experts
from moebench.packing.routings import Draw, Draws
from moebench.records import Row
from moebench.routers.base import Routing, expert_capacity
from moebench.setting import Setting, prepare
from moebench.spec import CapacityCellSpec, CapacitySpec
from moebench.traces import Traces

Clock = Callable[[], float]
Values = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Layer:
    """The tokens of a call and the experts that they may visit."""

    x_TD: Tensor
    experts: ExpertWeights
    setting: Setting


def measure(
    spec: CapacitySpec,
    traces: Traces | None,
    code: str,
    clock: Clock = time.perf_counter,
) -> list[Row]:
    """Measure every cell in every round, in an order drawn anew; one row a cell and round.

    A round gives all capacities, policies and layouts of a routing the same assignments. Raises
    MachineError for more threads than cores.
    """
    machine.check_threads(spec.threads, "capacity.threads")
    draws = Draws(spec, traces)
    cells = list(draws.cells())
    with machine.exclusive(), machine.uncollected(), torch.inference_mode():
        setting = prepare(spec.device, spec.dtype, spec.threads)
        layer = build(spec, max(cell.num_experts for cell in cells), setting)
        facts = setting.facts(code)
        order = random.Random(spec.seed)
        rows = []
        for turn in tqdm(
            range(-spec.warmup_rounds, spec.num_rounds),
            desc=f"capacity, {len(cells)} cells in turn",
            unit="round",
            mininterval=5,
            ascii=True,
            ncols=90,
        ):
            for cell in order.sample(cells, len(cells)):
                values = reading(cell, draws.draw(cell, turn % spec.num_rounds), layer, clock)
                if turn >= 0:
                    settings = spec.model_dump(include=set(SHARED)) | cell.model_dump()
                    values |= {"round": turn, "layout": cell.layout}
                    rows.append(Row(kind="packing", spec=settings, setting=facts, values=values))
    return rows


# What all cells of a room have in common, and their rows repeat.
SHARED = ("num_tokens", "seq_len", "dim", "expert_dim", "zipf_exponent", "seed")


def build(spec: CapacitySpec, num_experts: int, setting: Setting) -> Layer:
    """Random tokens and experts, in the number type and on the device of a setting."""
    generator = torch.Generator().manual_seed(spec.seed)

    def normal(*shape: int) -> Tensor:
        drawn = torch.randn(shape, generator=generator).div(math.sqrt(shape[-2]))
        return drawn.to(setting.device, setting.dtype)

    D, F = spec.dim, spec.expert_dim
    return Layer(
        x_TD=normal(spec.num_tokens, D),
        experts=ExpertWeights(
            w_in_EDF=normal(num_experts, D, F), w_out_EFD=normal(num_experts, F, D)
        ),
        setting=setting,
    )


def reading(cell: CapacityCellSpec, draw: Draw, layer: Layer, clock: Clock) -> Values:
    """One call without the experts' networks and one with them, and what came of the routing."""
    routing = _moved(draw.routing, layer.setting)
    capacity = None
    if cell.capacity_factor is not None:
        T, E = routing.num_tokens, routing.num_experts
        capacity = expert_capacity(T, E, cell.top_k, cell.capacity_factor)
    job = Job(
        layer=layer,
        routing=routing,
        seq_len=draw.seq_len,
        policy=cell.policy,
        capacity=capacity,
    )
    if layer.setting.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(layer.setting.device)
    job.pack_and_combine()  # so that no cell meets memory as the cell before it left it
    pack_time_s, _ = _timed(job.pack_and_combine, layer.setting, clock)
    layer_time_s, (kept, packed) = _timed(job.run, layer.setting, clock)
    return {
        "capacity": capacity,
        "requested": routing.num_requested,
        "kept": len(kept.token_N),
        "unrouted": routing.num_tokens - kept.num_routed(),
        "largest_load": int(routing.load_E().max()),
        "num_rows": len(packed.x_RD),
        "buffer_bytes": packed.x_RD.nbytes,
        "peak_allocated_bytes": layer.setting.peak_allocated_bytes(),
        "pack_time_s": pack_time_s,
        "layer_time_s": layer_time_s,
    }


@dataclass(frozen=True, kw_only=True)
class Job:
    """One call: drop, pack, perhaps run the experts, combine."""

    layer: Layer
    routing: Routing
    seq_len: int
    policy: str
    capacity: int | None

    def kept(self) -> Routing:
        """What capacity leaves of the routing; all of it without one."""
        if self.capacity is None:
            return self.routing
        return drop_over_capacity(self.routing, self.capacity, self.policy, self.seq_len)

    def pack_and_combine(self) -> tuple[Routing, Packed]:
        """A call whose experts hand back what they are given."""
        kept = self.kept()
        packed = pack(self.layer.x_TD, kept, self.capacity)
        combine(packed, packed.x_RD)
        return kept, packed

    def run(self) -> tuple[Routing, Packed]:
        """A whole call."""
        kept = self.kept()
        packed = pack(self.layer.x_TD, kept, self.capacity)
        experts = self.layer.experts.first(kept.num_experts)
        combine(packed, run_experts(packed, experts))
        return kept, packed


Call = Callable[[], tuple[Routing, Packed]]


def _timed(call: Call, setting: Setting, clock: Clock) -> tuple[float, tuple[Routing, Packed]]:
    start = setting.moment(clock)
    found = call()
    return setting.moment(clock) - start, found


def _moved(routing: Routing, setting: Setting) -> Routing:
    """The same routing on the device of a setting."""
    names = ("token_N", "expert_N", "weight_N")
    return replace(routing, **{name: getattr(routing, name).to(setting.device) for name in names})
