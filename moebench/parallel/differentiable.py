"""Collectives inside a forward pass, each with the collective that its gradient needs.

Two kinds of gradient meet here. A tensor that every rank goes on to use alike has its *whole*
gradient on every rank. Of a tensor that each rank uses for its own part of what follows, each has a
*partial* gradient, and their sum is the whole. Each function says which it gets and gives.

With gradients off, or in a group of one, they are the bare collectives: no autograd node is made.
Shapes: B rows of all ranks, N rows of this one, C columns.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from moebench.parallel.communicators.base import Communicator, Rows


def replicated(communicator: Communicator, *tensors: Tensor) -> tuple[Tensor, ...]:
    """Tensors that all ranks hold alike. Gradient: partial in, whole out, in one all-reduce."""
    if not _is_recorded(communicator):
        return tensors
    return _Replicated.apply(communicator, *tensors)  # type: ignore[no-untyped-call,no-any-return]


def summed(communicator: Communicator, partial: Tensor) -> Tensor:
    """Sum over ranks, in the memory of ``partial``. Gradient: whole in, whole out."""
    if not _is_recorded(communicator):
        return communicator.all_reduce(partial)
    return _Summed.apply(communicator, partial)  # type: ignore[no-untyped-call,no-any-return]


def own_rows(
    communicator: Communicator, x_BC: Tensor, num_rows: Rows, *replicated: Tensor
) -> tuple[Tensor, ...]:
    """This rank's rows of ``x_BC``, and tensors that all ranks hold alike.

    Gradient: whole for the rows, which an all-gather puts together; partial for ``replicated``,
    which an all-reduce makes whole.
    """
    if not _is_recorded(communicator):
        return x_BC.split_with_sizes(list(num_rows))[communicator.rank], *replicated
    return _OwnRows.apply(communicator, num_rows, x_BC, *replicated)  # type: ignore[no-untyped-call,no-any-return]


def all_rows(
    communicator: Communicator, x_NC: Tensor, num_rows: Rows, *, is_partial: bool
) -> Tensor:
    """Rows of all ranks.

    Gradient: whole in (this rank keeps its rows) or, with ``is_partial``, partial in (a
    reduce-scatter sums the rows and hands them out); whole out.
    """
    if not _is_recorded(communicator):
        return communicator.all_gather(x_NC.contiguous(), num_rows)
    return _AllRows.apply(communicator, num_rows, is_partial, x_NC)  # type: ignore[no-untyped-call,no-any-return]


def all_columns(communicator: Communicator, x_NC: Tensor, num_columns: Rows) -> Tensor:
    """Columns of all ranks side by side, for rows that are the same on all ranks.

    Gradient: whole in, whole out for this rank's columns.
    """
    return all_rows(communicator, x_NC.T, num_columns, is_partial=False).T


def exchanged_rows(
    communicator: Communicator, x_NC: Tensor, send_rows: Rows, receive_rows: Rows
) -> Tensor:
    """Rows that the other ranks have for this one. Gradient: sent the way back."""
    if not _is_recorded(communicator):
        return communicator.all_to_all_rows(x_NC.contiguous(), send_rows, receive_rows)
    return _ExchangedRows.apply(communicator, send_rows, receive_rows, x_NC)  # type: ignore[no-untyped-call,no-any-return]


def _is_recorded(communicator: Communicator) -> bool:
    return communicator.world_size > 1 and torch.is_grad_enabled()


class _Replicated(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, communicator: Communicator, *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.communicator = communicator
        return tuple(tensor.view_as(tensor) for tensor in tensors)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        return None, *ctx.communicator.all_reduce_packed(grads)


class _Summed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, communicator: Communicator, partial: Tensor) -> Tensor:
        ctx.mark_dirty(partial)
        return communicator.all_reduce(partial)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        return None, grad


class _OwnRows(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, communicator: Communicator, num_rows: Rows, x_BC: Tensor, *replicated: Tensor
    ) -> tuple[Tensor, ...]:
        ctx.communicator, ctx.num_rows = communicator, num_rows
        own_NC = x_BC.split_with_sizes(list(num_rows))[communicator.rank]
        return own_NC, *[tensor.view_as(tensor) for tensor in replicated]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_NC: Tensor, *grads: Tensor) -> tuple[Tensor | None, ...]:
        grad_BC = ctx.communicator.all_gather(grad_NC.contiguous(), ctx.num_rows)
        return None, None, grad_BC, *ctx.communicator.all_reduce_packed(grads)


class _AllRows(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, communicator: Communicator, num_rows: Rows, is_partial: bool, x_NC: Tensor
    ) -> Tensor:
        ctx.communicator, ctx.num_rows, ctx.is_partial = communicator, num_rows, is_partial
        return communicator.all_gather(x_NC.contiguous(), num_rows)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_BC: Tensor) -> tuple[Tensor | None, ...]:
        communicator, num_rows = ctx.communicator, ctx.num_rows
        if ctx.is_partial:
            grad_NC = communicator.reduce_scatter(grad_BC.contiguous(), num_rows)
        else:
            grad_NC = grad_BC.split_with_sizes(list(num_rows))[communicator.rank]
        return None, None, None, grad_NC


class _ExchangedRows(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, communicator: Communicator, send_rows: Rows, receive_rows: Rows, x_NC: Tensor
    ) -> Tensor:
        ctx.communicator, ctx.send_rows, ctx.receive_rows = communicator, send_rows, receive_rows
        return communicator.all_to_all_rows(x_NC.contiguous(), send_rows, receive_rows)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        returned = ctx.communicator.all_to_all_rows(
            grad.contiguous(), ctx.receive_rows, ctx.send_rows
        )
        return None, None, None, returned
