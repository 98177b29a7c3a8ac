"""Routings to pack: independent normal logits, logits that follow Zipf's law, and traces.

Shapes: T tokens, E experts, K choices a token, M assignments, S tokens of a window.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from moebench.routers.base import Routing
from moebench.spec import CapacityCellSpec, CapacitySpec
from moebench.traces import Trace, Traces


@dataclass(frozen=True, kw_only=True)
class Draw:
    """One routing, and how long the sequences are that its tokens stand in."""

    routing: Routing
    seq_len: int


class Draws:
    """Routings for the cells of a room; equal cells get equal ones, whatever their capacity."""

    def __init__(self, spec: CapacitySpec, traces: Traces | None):
        self.spec = spec
        self.traces = traces
        self.pieces = pieces(traces, spec.num_tokens) if traces is not None else {}

    def cells(self) -> Iterator[CapacityCellSpec]:
        """Cells of every routing: those of the config, then those of each traced router."""
        yield from self.spec.cells()
        for router, (first, *_) in self.pieces.items():
            yield from self.spec.at(
                CapacityCellSpec(
                    routing="trace",
                    router=router,
                    num_experts=first.num_experts,
                    top_k=first.top_k,
                    capacity_factor=None,
                    policy="none",
                )
            )

    def draw(self, cell: CapacityCellSpec, number: int) -> Draw:
        """The routing of a cell in round ``number``."""
        if cell.routing == "trace":
            assert cell.router is not None
            own = self.pieces[cell.router]
            return own[number % len(own)].draw
        rng = np.random.default_rng(
            [self.spec.seed, number, cell.num_experts, cell.top_k, cell.routing == "zipf"]
        )
        shape = (self.spec.num_tokens, cell.num_experts)
        if cell.routing == "zipf":
            logits = zipf_logits(rng, *shape, self.spec.zipf_exponent)
        else:
            logits = rng.standard_normal(shape)
        routing = top_k_routing(torch.from_numpy(logits.astype(np.float32)), cell.top_k)
        return Draw(routing=routing, seq_len=self.spec.seq_len)


def zipf_logits(
    rng: np.random.Generator, num_tokens: int, num_experts: int, exponent: float
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Logits (T, E) whose largest is that of the r-th expert in proportion to r ** -exponent.

    Gumbel noise on the logarithms of the wanted shares does so exactly (arXiv:1611.01144, eq. 1);
    the largest K are then a sample of K experts without replacement. Which expert is the r-th is
    drawn as well.
    """
    rank_E = rng.permutation(num_experts) + 1
    noise: np.ndarray[tuple[int, ...], np.dtype[np.float64]] = rng.gumbel(
        size=(num_tokens, num_experts)
    )
    return noise - exponent * np.log(rank_E)


def top_k_routing(logits_TE: Tensor, top_k: int) -> Routing:
    """The K largest logits of each token, weighted by the softmax over them."""
    logit_TK, expert_TK = logits_TE.topk(top_k, dim=-1)
    T, E = logits_TE.shape
    return Routing(
        token_N=torch.arange(T).repeat_interleave(top_k),
        expert_N=expert_TK.reshape(-1),
        weight_N=logit_TK.softmax(dim=-1).reshape(-1),
        num_tokens=T,
        num_experts=E,
        num_requested=T * top_k,
        balance_loss=logits_TE.new_zeros(()),
    )


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A run of windows of one trace, as a routing of its own."""

    num_experts: int
    top_k: int
    draw: Draw


def pieces(traces: Traces, num_tokens: int) -> dict[str, list[Piece]]:
    """Routings of ``num_tokens`` tokens from the trained layers of each router.

    Neighbouring pieces differ in seed and layer, so that few of them already show both. A router
    that gives every expert as many assignments in every pool is left out: what it asks for follows
    from the capacity that it was told, and no other capacity can be tried on it.
    Raises ValueError where the traces are shorter than one piece.
    """
    W, S = traces.token_id_WS.shape
    if num_tokens % S or num_tokens > W * S:
        raise ValueError(
            f"capacity.num_tokens={num_tokens} must be a multiple of the {S} tokens of a traced "
            f"window, and at most the {W * S} that were traced; change it, or trace more with "
            "tracing.num_tokens"
        )
    found: dict[str, list[Piece]] = {}
    trained = [trace for trace in traces.traces if trace.state == "trained"]
    for first in range(0, W * S - num_tokens + 1, num_tokens):
        for trace in trained:
            if not is_even(trace, S):
                piece = Piece(
                    num_experts=trace.num_experts,
                    top_k=trace.top_k,
                    draw=Draw(routing=cut(trace, first, num_tokens), seq_len=S),
                )
                found.setdefault(trace.router, []).append(piece)
    return found


def is_even(trace: Trace, seq_len: int) -> bool:
    """Whether every expert is asked for equally often in every pool of a trace."""
    pool_M = trace.token_M // (trace.pool * seq_len)
    key_M = pool_M.astype(np.int64) * trace.num_experts + trace.expert_M
    num_pools = int(pool_M.max()) + 1
    load = np.bincount(key_M, minlength=num_pools * trace.num_experts)
    return bool((load.reshape(num_pools, -1) == load[0]).all())


def cut(trace: Trace, first: int, num_tokens: int) -> Routing:
    """What a trace asks for at ``num_tokens`` tokens from token ``first`` on."""
    inside_M = (trace.token_M >= first) & (trace.token_M < first + num_tokens)
    token_M = trace.token_M[inside_M].astype(np.int64) - first
    return Routing(
        token_N=torch.from_numpy(token_M),
        expert_N=torch.from_numpy(trace.expert_M[inside_M].astype(np.int64)),
        weight_N=torch.from_numpy(trace.weight_M[inside_M]),
        num_tokens=num_tokens,
        num_experts=trace.num_experts,
        num_requested=int(inside_M.sum()),
        balance_loss=torch.zeros(()),
    )
