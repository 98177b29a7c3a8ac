"""How the rows of experts lie in memory: a padded buffer, or one expert after the other.

Shapes: T tokens, D width, F hidden width of an expert, E experts, C slots per expert, N kept
assignments; R rows of a layout: E * C padded, N dropless.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from moebench.routers.base import Routing


@dataclass(frozen=True, kw_only=True)
class Packed:
    """Rows in a layout, and where the assignments of each token are."""

    x_RD: Tensor
    num_rows: list[int] | None  # rows of each expert, in order; None: C each
    row_by_token_N: Tensor  # row of each assignment, in the order of tokens
    weight_by_token_N: Tensor
    start_T: Tensor  # where in that order the assignments of each token begin


def pack(x_TD: Tensor, routing: Routing, capacity: int | None) -> Packed:
    """Bring tokens to their experts: into C slots each, or without a gap where C is None.

    A slot that nobody takes is a row of zeros, which is multiplied like any other.
    """
    E = routing.num_experts
    order_N = routing.expert_N.argsort(stable=True)
    load_E = routing.load_E()
    place_N = torch.arange(len(order_N), device=x_TD.device)
    if capacity is not None:
        expert_N = routing.expert_N[order_N]
        place_N += expert_N * capacity - (load_E.cumsum(0) - load_E)[expert_N]
    row_N = torch.empty_like(order_N)
    row_N[order_N] = place_N
    token_N = routing.token_N[order_N]
    if capacity is None:
        x_RD = x_TD.index_select(0, token_N)
    else:
        x_RD = x_TD.new_zeros(E * capacity, x_TD.shape[1])
        x_RD.index_copy_(0, place_N, x_TD.index_select(0, token_N))
    by_token_N = routing.token_N.argsort(stable=True)
    load_T = torch.bincount(routing.token_N, minlength=routing.num_tokens)
    return Packed(
        x_RD=x_RD,
        num_rows=load_E.tolist() if capacity is None else None,
        row_by_token_N=row_N[by_token_N],
        weight_by_token_N=routing.weight_N[by_token_N],
        start_T=load_T.cumsum(0) - load_T,
    )


@dataclass(frozen=True, kw_only=True)
class ExpertWeights:
    """Matrices of E experts, x -> gelu(x @ w_in) @ w_out, both as one stack."""

    w_in_EDF: Tensor
    w_out_EFD: Tensor

    def first(self, num_experts: int) -> "ExpertWeights":
        """The first experts alone."""
        return ExpertWeights(
            w_in_EDF=self.w_in_EDF[:num_experts], w_out_EFD=self.w_out_EFD[:num_experts]
        )


def run_experts(packed: Packed, experts: ExpertWeights) -> Tensor:
    """Answer of every row's expert, shape (R, D): one batched product, or one per expert."""
    if packed.num_rows is None:
        E, D, _ = experts.w_in_EDF.shape
        x_ECD = packed.x_RD.view(E, -1, D)
        y_ECD = torch.bmm(functional.gelu(torch.bmm(x_ECD, experts.w_in_EDF)), experts.w_out_EFD)
        return y_ECD.view_as(packed.x_RD)
    y_RD = torch.empty_like(packed.x_RD)
    slices = zip(
        packed.x_RD.split(packed.num_rows), y_RD.split(packed.num_rows),
        experts.w_in_EDF, experts.w_out_EFD, strict=True,
    )  # fmt: skip
    for x_ND, y_ND, w_in_DF, w_out_FD in slices:
        torch.mm(functional.gelu(x_ND @ w_in_DF), w_out_FD, out=y_ND)
    return y_RD


def combine(packed: Packed, y_RD: Tensor) -> Tensor:
    """Weighted sum of the rows of each token, shape (T, D), in the type of the weights."""
    return torch.embedding_bag(
        y_RD.to(packed.weight_by_token_N.dtype),
        packed.row_by_token_N,
        packed.start_T,
        mode=0,  # sum
        per_sample_weights=packed.weight_by_token_N,
    )[0]
