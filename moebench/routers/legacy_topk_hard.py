"""Legacy: the k largest logits, each with weight 1, so that the gate stays at its random start."""

import torch
from torch import Tensor

from moebench.routers.base import Routing
from moebench.routers.legacy import NOTE, LegacyRouter


class LegacyTopkHard(LegacyRouter):
    """The published equal-weight top-k: a sum of K answers, not their mean, and no gradient.

    The layer's answer is K times as large as that of the other routers; ``topk_hard`` has weights
    1/K and an estimator that trains the gate.
    """

    learned = False
    equation = r"chosen: $\mathrm{top}_K(z)$, with the gate at its start; weight: $1$ each"
    advice = "Only to repeat published numbers on purpose; `topk_hard` is the router that learns."
    paper = f"arXiv:1701.06538, eq. 3-5, {NOTE}"

    def forward(self, logits_TG: Tensor, token_id_BS: Tensor, capacity: int) -> Routing:
        """Assign each token to K experts."""
        expert_TK = logits_TG.topk(self.top_k, dim=-1).indices
        weight_TK = torch.ones_like(expert_TK, dtype=logits_TG.dtype)
        return self.published_choice(expert_TK, weight_TK, capacity)
