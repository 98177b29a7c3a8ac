"""What the legacy routers share: a balance loss made of counts, as the published code had it.

They repeat a published procedure on purpose, mistakes and all, so that what each mistake costs can
be measured. They are no candidates: no frontier takes them in.
"""

from typing import ClassVar

import torch
from torch import Tensor

from moebench.routers.base import Router, Routing

NOTE = "changed as in the published benchmark, to repeat its numbers"


class LegacyRouter(Router):
    """A router of the published code: tokens ask for K experts, and no balance loss trains it."""

    balance_trains: ClassVar[bool] = False

    def published_choice(self, expert_TK: Tensor, weight_TK: Tensor, capacity: int) -> Routing:
        """Routing of tokens that ask for K experts each, with the balance loss of counts."""
        loss = count_balance(expert_TK, self.num_experts, capacity)
        return self.token_choice(expert_TK, weight_TK, loss.to(weight_TK.dtype))


def count_balance(expert_TK: Tensor, num_experts: int, capacity: int) -> Tensor:
    """Sum over experts of (n_e / sum n - 1 / E) squared, from what capacity let through.

    It is made of integers, hence has no gradient and moves no parameter, whatever its factor.
    """
    load_E = torch.bincount(expert_TK.flatten(), minlength=num_experts).clamp(max=capacity)
    return (load_E / load_E.sum() - 1 / num_experts).square().sum()
