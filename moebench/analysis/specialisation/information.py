"""How much an expert tells of a token: mutual information, its interval, and what chance gives.

Shapes: W windows of S tokens, M assignments, G groups of tokens (classes, or ids), E experts,
R shuffles.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from moebench.analysis.statistics import Array
from moebench.traces import Trace

Counts = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where in the text the assignments of a trace are."""

    window_M: NDArray[np.intp]
    position_M: NDArray[np.intp]
    expert_M: NDArray[np.intp]
    num_experts: int


def place(trace: Trace, seq_len: int) -> Place:
    """Window, position and expert of every assignment that was requested."""
    token_M = trace.token_M.astype(np.intp)
    return Place(
        window_M=token_M // seq_len,
        position_M=token_M % seq_len,
        expert_M=trace.expert_M.astype(np.intp),
        num_experts=trace.num_experts,
    )


def counts_WGE(at: Place, group_WS: NDArray[np.intp], num_groups: int) -> Counts:
    """Assignments by window, group and expert."""
    shape = (len(group_WS), num_groups, at.num_experts)
    index = (at.window_M, group_WS[at.window_M, at.position_M], at.expert_M)
    key_M = np.ravel_multi_index(index, shape)
    return np.bincount(key_M, minlength=int(np.prod(shape))).reshape(shape)


def shuffled_GE(
    at: Place, group_WS: NDArray[np.intp], num_groups: int, order_RW: NDArray[np.intp]
) -> Iterator[Counts]:
    """Assignments by group and expert, had the routing been laid over other windows.

    Whole windows change places, so that text and routing keep what holds within either: both are
    alike from one token to the next, and would agree too often if tokens were shuffled one by one.
    """
    shape = (num_groups, at.num_experts)
    for order_W in order_RW:
        group_M = group_WS[order_W[at.window_M], at.position_M]
        yield np.bincount(
            group_M * at.num_experts + at.expert_M, minlength=num_groups * at.num_experts
        ).reshape(shape)


def mutual_information_nats(count_GE: Counts) -> Array:
    """Mutual information of group and expert, over the last two axes; 0 where one tells nothing."""
    total = count_GE.sum(axis=(-2, -1), keepdims=True)
    joint = count_GE / total
    apart = joint.sum(axis=-1, keepdims=True) * joint.sum(axis=-2, keepdims=True)
    ratio = np.divide(joint, apart, out=np.ones_like(joint), where=joint > 0)
    information: Array = (joint * np.log(ratio)).sum(axis=(-2, -1))
    return information


def favourite_share(count_GE: Counts, num_favourites: int) -> float:
    """Share of assignments that go to the experts that their group visits most.

    Vocabulary specialisation (arXiv:2409.02060), of a group's ``num_favourites`` experts,
    averaged over assignments: 1 where every token id has experts of its own.
    """
    favourites = np.sort(count_GE, axis=-1)[..., -num_favourites:]
    return float(favourites.sum() / count_GE.sum())


def entropy_nats(count_G: Counts) -> float:
    """Entropy of the groups."""
    share_G = count_G[count_G > 0] / count_G.sum()
    return float(-(share_G * np.log(share_G)).sum())


def without_each_window(count_WX: Counts) -> Counts:
    """Counts over all windows but one, for each of them."""
    rest: Counts = count_WX.sum(axis=0, keepdims=True) - count_WX
    return rest


def pseudo_values(whole: Array, without_W: Array) -> Array:
    """Jackknife pseudo-values, windows last: their mean is the estimate, less its bias.

    Counted from few tokens, mutual information comes out too large; leaving out one window at a
    time measures by how much (Efron and Stein, 1981). Windows are left out whole, because the
    tokens of one are not independent.
    """
    num_windows = without_W.shape[-1]
    pseudo_W: Array = num_windows * whole[..., None] - (num_windows - 1) * without_W
    return pseudo_W
