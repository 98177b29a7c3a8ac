"""Dropless dispatch: assignments sorted by expert, each expert run once on its own slice of rows.

Shapes: T tokens, D model width, F hidden width of one expert, E experts, N kept assignments. Row n
of a tensor with suffix N belongs to the n-th assignment in the order of experts.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from moebench.dispatch.base import Dispatch, Experts, number_types
from moebench.routers.base import Routing


class Sorted(Dispatch):
    """Gathers the rows of each expert, multiplies slice by slice, and sums up per token."""

    def __call__(self, x_TD: Tensor, routing: Routing, experts: Experts) -> Tensor:
        """Mix the experts of each token. Under autocast only the products are in its type."""
        routing = routing.served()
        product, total = number_types(x_TD, routing.weight_N)
        with torch.autocast(x_TD.device.type, enabled=False):
            y_TD: Tensor = _SortedExperts.apply(  # type: ignore[no-untyped-call]
                _order(routing),
                torch.is_grad_enabled(),  # always off where a Function runs
                x_TD.to(product),
                routing.weight_N.to(total),
                *[w.to(product) for w in (*experts.w_in, *experts.w_out)],
            )
        return y_TD


@dataclass(frozen=True, kw_only=True)
class _Order:
    """Where the assignments are once they are sorted by expert, and how to get back to tokens."""

    assignment_N: Tensor  # number in the routing of each row
    token_N: Tensor  # token of each row
    num_rows: list[int]  # rows of each expert
    by_token_N: Tensor  # number in the routing of the assignments in the order of tokens
    row_by_token_N: Tensor  # their rows
    start_T: Tensor  # where in that order the assignments of each token begin


def _order(routing: Routing) -> _Order:
    assignment_N = routing.expert_N.argsort(stable=True)
    row_N = torch.empty_like(assignment_N)
    row_N.scatter_(0, assignment_N, torch.arange(len(row_N), device=row_N.device))
    by_token_N = routing.token_N.argsort(stable=True)
    load_T = torch.bincount(routing.token_N, minlength=routing.num_tokens)
    return _Order(
        assignment_N=assignment_N,
        token_N=routing.token_N.index_select(0, assignment_N),
        num_rows=routing.load_E().tolist(),
        by_token_N=by_token_N,
        row_by_token_N=row_N.index_select(0, by_token_N),
        start_T=load_T.cumsum(0) - load_T,
    )


class _SortedExperts(torch.autograd.Function):
    """y_t = sum of weight * gelu(x_t @ w_in.T) @ w_out over the assignments of token t.

    One Function with gradients by hand for the whole layer, because then rows are gathered once
    for all experts, results are written where the next step reads them, and the sum per token is
    one fused kernel.
    """

    @staticmethod
    def forward(
        ctx: Any, order: _Order, keeps: bool, x_TD: Tensor, weight_N: Tensor, *w: Tensor
    ) -> Tensor:
        E = len(w) // 2
        x_ND = x_TD.index_select(0, order.token_N)
        y_ND = torch.empty_like(x_ND)
        x_E, y_E = (each.split_with_sizes(order.num_rows) for each in (x_ND, y_ND))
        hidden = []
        for x, y, w_in, w_out in zip(x_E, y_E, w[:E], w[E:], strict=True):
            before = _product(x, w_in.T)
            h = functional.gelu(before) if keeps else torch.ops.aten.gelu_(before)
            _product(h, w_out, out=y)
            if keeps:
                hidden += [before, h]
        if keeps:
            ctx.order = order
            ctx.save_for_backward(weight_N, x_ND, y_ND, *hidden, *w)
        weight_by_token_N = weight_N.index_select(0, order.by_token_N)
        return _sum_per_token(y_ND.to(weight_N.dtype), order, weight_by_token_N)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_TD: Tensor) -> tuple[Tensor | None, ...]:
        weight_N, x_ND, y_ND, *rest = ctx.saved_tensors
        hidden, w = rest[: len(rest) // 2], rest[len(rest) // 2 :]
        order: _Order = ctx.order
        _, _, needs_x, needs_weight, *needs_w = ctx.needs_input_grad
        grad_ND = grad_TD.index_select(0, order.token_N)
        grad_weight_N = None
        if needs_weight:
            inner_N = (grad_ND * y_ND).sum(dim=1)
            grad_weight_N = torch.empty_like(inner_N).index_copy_(0, order.assignment_N, inner_N)
        grad_ND *= weight_N.index_select(0, order.assignment_N).unsqueeze(1)
        grad_x_ND = torch.empty_like(x_ND) if needs_x else None
        rows = [
            each.split_with_sizes(order.num_rows)
            for each in (x_ND, grad_ND.to(x_ND.dtype), grad_x_ND)
            if each is not None
        ]
        grad_w = _grad_through_experts(rows, hidden, w, needs_w)
        grad_x_TD = None if grad_x_ND is None else _sum_per_token(grad_x_ND, order)
        return None, None, grad_x_TD, grad_weight_N, *grad_w


def _grad_through_experts(
    rows: list[tuple[Tensor, ...]], hidden: list[Tensor], w: list[Tensor], needs_w: list[bool]
) -> list[Tensor | None]:
    """Gradients of all w_in, then all w_out, None where not needed; that of x goes to its rows.

    ``rows`` holds, for each expert, x, the gradient of the expert's answer, and, where it is
    needed, the room for the gradient of x; ``hidden`` each one's rows before and after the GELU.
    """
    E = len(w) // 2
    grad_w: list[Tensor | None] = [None] * (2 * E)
    for e, (x, grad, *room) in enumerate(zip(*rows, strict=True)):
        before, h = hidden[2 * e], hidden[2 * e + 1]
        if needs_w[E + e]:
            grad_w[E + e] = h.T @ grad
        if room or needs_w[e]:
            grad_before = _product(grad, w[E + e].T)
            torch.ops.aten.gelu_backward.grad_input(grad_before, before, grad_input=grad_before)
            if needs_w[e]:
                grad_w[e] = grad_before.T @ x
            if room:
                _product(grad_before, w[e], out=room[0])
    return grad_w


# With more than one thread and few rows, MKL is faster when it is asked for the transposed result.
_FEW_ROWS = 64


def _product(a: Tensor, b: Tensor, out: Tensor | None = None) -> Tensor:
    """a @ b, into ``out`` where it is given; otherwise either side of the answer is contiguous."""
    if len(a) > _FEW_ROWS or torch.get_num_threads() == 1 or a.is_cuda:
        return torch.mm(a, b, out=out)
    transposed = torch.mm(b.T, a.T)
    return transposed.T if out is None else out.copy_(transposed.T)


def _sum_per_token(y_ND: Tensor, order: _Order, weight_by_token_N: Tensor | None = None) -> Tensor:
    """Weighted sum of the rows of each token, shape (T, D); zero for a token without any."""
    return torch.embedding_bag(
        y_ND,
        order.row_by_token_N,
        order.start_T,
        mode=0,  # sum
        per_sample_weights=weight_by_token_N,
    )[0]
