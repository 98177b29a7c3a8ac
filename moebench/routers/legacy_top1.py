"""Legacy: the largest logit with weight 1, so that the gate stays at its random start."""

import torch
from torch import Tensor

from moebench.routers.base import RouterSetting, Routing
from moebench.routers.legacy import NOTE, LegacyRouter


class LegacyTop1(LegacyRouter):
    """The published top-1: no probability multiplies the expert's answer.

    Nothing of the gate enters the output, so nothing trains it; ``top1`` is the router that learns.
    """

    learned = False
    equation = r"chosen: $\mathrm{top}_1(z)$, with the gate at its start; weight: $1$"
    advice = "Only to repeat published numbers on purpose; `top1` is the router that learns."
    paper = f"arXiv:2101.03961, eq. 1-2, {NOTE}"

    def __init__(self, setting: RouterSetting):
        super().__init__(setting)
        self.top_k = 1

    def forward(self, logits_TG: Tensor, token_id_BS: Tensor, capacity: int) -> Routing:
        """Assign each token to one expert."""
        expert_TK = logits_TG.argmax(dim=-1, keepdim=True)
        weight_TK = torch.ones_like(expert_TK, dtype=logits_TG.dtype)
        return self.published_choice(expert_TK, weight_TK, capacity)
