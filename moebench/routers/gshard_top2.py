"""GShard's top-2: the second expert is taken at random, in proportion to its weight."""

import torch
from torch import Tensor

from moebench.routers.base import Router, RouterSetting, Routing


class GshardTop2(Router):
    """The two largest probabilities over their sum; in training the second may be left out.

    Takes two experts whatever ``top_k`` says, or the only one there is. In training the second is
    kept with probability min(1, 2 g2), g2 its weight; when scoring always, so that a score does
    not depend on chance. The balance loss counts first choices.
    """

    fixed_k = False
    noisy = True
    equation = (
        r"chosen: $\mathrm{top}_2(z)$, in training the second with probability "
        r"$\min(1, 2 g_2)$; weight: $g_e = p_e / (p_1 + p_2)$"
    )
    advice = (
        "As a point of reference for the first large mixtures. Its training steps do less work "
        "than those of a plain top-2, by as much as second choices are left out."
    )
    paper = "arXiv:2006.16668 (GShard)"

    def __init__(self, setting: RouterSetting):
        super().__init__(setting)
        self.top_k = min(2, setting.num_experts)

    def forward(self, logits_TG: Tensor, token_id_BS: Tensor, capacity: int) -> Routing:
        """Assign each token to one or two experts."""
        prob_TE = logits_TG.softmax(dim=-1)
        prob_TK, expert_TK = prob_TE.topk(self.top_k, dim=-1)
        weight_TK = prob_TK / prob_TK.sum(dim=-1, keepdim=True)
        is_kept_TK = torch.ones_like(expert_TK, dtype=torch.bool)
        if self.training:
            chance_TK = torch.rand_like(weight_TK)
            is_kept_TK[:, 1:] = chance_TK[:, 1:] < 2 * weight_TK[:, 1:]
        return self.choice_of(
            torch.zeros_like(prob_TE, dtype=torch.bool).scatter(1, expert_TK, is_kept_TK),
            torch.zeros_like(prob_TE).scatter(1, expert_TK, weight_TK),
            self.balance(prob_TE, expert_TK[:, :1], token_id_BS),
        )
