"""Hard top-k: equal weights 1/k, the gate trained by a straight-through estimator."""

import torch
from torch import Tensor

from moebench.routers.base import Router, Routing


class TopkHard(Router):
    """The K largest logits, each weighted 1/K; backward as if weighted by the softmax over them.

    The estimator (arXiv:1308.3432, sec. 3) replaces the derivative of the constant 1/K, which is
    zero and would leave the gate at its random start, by that of the softmax over the kept logits.
    """

    equation = (
        r"chosen: $\mathrm{top}_K(z)$; weight: $1/K$, backward as if it were the softmax over the "
        r"$K$ kept logits"
    )
    advice = "To see what graded weights are worth: against `softk` only the weights differ."
    paper = "arXiv:1701.06538, eq. 3-5, with weights 1/k; arXiv:1308.3432, sec. 3"

    def forward(self, logits_TG: Tensor, token_id_BS: Tensor, capacity: int) -> Routing:
        """Assign each token to K experts."""
        logit_TK, expert_TK = logits_TG.topk(self.top_k, dim=-1)
        soft_TK = logit_TK.softmax(dim=-1)
        hard_TK = torch.full_like(soft_TK, 1 / self.top_k)
        weight_TK = hard_TK + (soft_TK - soft_TK.detach())  # the bracket is exactly zero
        loss = self.balance(logits_TG.softmax(dim=-1), expert_TK, token_id_BS)
        return self.token_choice(expert_TK, weight_TK, loss)
