"""What suits the device: `grouped` on a GPU in bfloat16, `sorted` everywhere else."""

import torch
from torch import Tensor

from moebench.dispatch.base import Dispatch, Experts, number_types
from moebench.dispatch.grouped import Grouped
from moebench.dispatch.sorted import Sorted
from moebench.routers.base import Routing


class Auto(Dispatch):
    """One of two, by device and number type; each row says which these were."""

    def __init__(self) -> None:
        self._sorted = Sorted()
        self._grouped = Grouped()

    def __call__(self, x_TD: Tensor, routing: Routing, experts: Experts) -> Tensor:
        """Mix the experts of each token."""
        product, _ = number_types(x_TD, routing.weight_N)
        is_grouped = x_TD.is_cuda and product == torch.bfloat16
        chosen = self._grouped if is_grouped else self._sorted
        return chosen(x_TD, routing, experts)
