"""Dispatch for GPUs: one grouped product for all experts, and no word to the host.

Assignments without a slot stay in the list, sorted behind those of the last expert, where the
grouped product does not look. So all shapes are known beforehand.

Shapes: T tokens, D model width, F hidden width of one expert, E experts, N listed assignments.
"""

import torch
from torch import Tensor
from torch.nn import functional

from moebench.dispatch.base import Dispatch, Experts, number_types
from moebench.routers.base import Routing

_ALIGNED = 8  # numbers of two bytes in 16 bytes


class Grouped(Dispatch):
    """Gathers the rows of all experts, multiplies them in two products, and sums up per token."""

    def __call__(self, x_TD: Tensor, routing: Routing, experts: Experts) -> Tensor:
        """Mix the experts of each token. Under autocast only the products are in its type."""
        product, total = number_types(x_TD, routing.weight_N)
        behind_N = _behind_the_last(routing)
        order_N = behind_N.argsort(stable=True)
        token_N = routing.token_N.index_select(0, order_N)
        has_slot_N1 = (behind_N < routing.num_experts).index_select(0, order_N).unsqueeze(1)
        end_E = routing.load_E().cumsum(0, dtype=torch.int32)
        with torch.autocast(x_TD.device.type, enabled=False):
            x_ND = x_TD.to(product).index_select(0, token_N).where(has_slot_N1, 0)
            y_ND = _answers(x_ND, experts, end_E).where(has_slot_N1, 0)
            weight_N1 = routing.weight_N.index_select(0, order_N).unsqueeze(1)
            mixed_ND = y_ND.to(total) * weight_N1.to(total)
            return mixed_ND.new_zeros(x_TD.shape).index_add(0, token_N, mixed_ND)


def _behind_the_last(routing: Routing) -> Tensor:
    """Expert of each assignment, shape (N,); for one without a slot, the number of experts."""
    if routing.has_slot_N is None:
        return routing.expert_N
    return routing.expert_N.where(routing.has_slot_N, routing.num_experts)


def _answers(x_ND: Tensor, experts: Experts, end_E: Tensor) -> Tensor:
    """Answers to rows in the order of experts; anything at all behind those of the last."""
    w_in_EFD = torch.stack([w.to(x_ND.dtype) for w in experts.w_in])
    w_out_EFD = torch.stack([w.to(x_ND.dtype) for w in experts.w_out])
    hidden_NF = functional.gelu(grouped_product(x_ND, w_in_EFD.transpose(1, 2), end_E))
    return grouped_product(hidden_NF, w_out_EFD, end_E)


def grouped_product(a_NI: Tensor, b_EIO: Tensor, end_E: Tensor) -> Tensor:
    """Rows up to the first end times the first matrix, those up to the next times the next.

    Rows behind the last end are not computed: anything may stand there. torch's product of this
    kind, everywhere the same, is of bfloat16 and rows that begin at multiples of 16 bytes. For
    other tensors there is a product for each expert, and the host waits for the numbers of rows.
    """
    is_aligned = all(size % _ALIGNED == 0 for size in b_EIO.shape[1:])
    if a_NI.dtype == torch.bfloat16 and is_aligned:
        return functional.grouped_mm(a_NI, b_EIO, offs=end_E)
    num_rows = end_E.diff(prepend=end_E.new_zeros(1)).tolist()
    num_rows.append(len(a_NI) - sum(num_rows))
    *rows, behind = a_NI.split(num_rows)
    products = [a @ b for a, b in zip(rows, b_EIO, strict=True)]
    return torch.cat([*products, behind.new_full((len(behind), b_EIO.shape[2]), torch.nan)])
