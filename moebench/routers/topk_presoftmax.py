"""Softmax before top-k, as in OLMoE: the kept probabilities are the weights, however small."""

from torch import Tensor

from moebench.routers.base import Router, RouterSetting, Routing


class TopkPresoftmax(Router):
    """The K largest probabilities over all experts, as they are.

    Weights sum to less than one, so the gate also decides how much the layer adds. With
    ``renormalise`` this is ``softk``.
    """

    equation = (
        r"chosen: $\mathrm{top}_K(z)$; weight: $p_e$, or with `renormalise` "
        r"$p_e / \sum_{\mathrm{chosen}} p$"
    )
    advice = (
        "To compare with OLMoE and FLAME-MoE, which take the softmax first; against `softk` it "
        "shows what the convention alone is worth."
    )
    paper = "arXiv:2409.02060 (OLMoE)"

    def __init__(self, setting: RouterSetting, *, renormalise: bool = False):
        super().__init__(setting)
        self.renormalise = renormalise

    def forward(self, logits_TG: Tensor, token_id_BS: Tensor, capacity: int) -> Routing:
        """Assign each token to K experts."""
        prob_TE = logits_TG.softmax(dim=-1)
        weight_TK, expert_TK = prob_TE.topk(self.top_k, dim=-1)
        if self.renormalise:
            weight_TK = weight_TK / weight_TK.sum(dim=-1, keepdim=True)
        loss = self.balance(prob_TE, expert_TK, token_id_BS)
        return self.token_choice(expert_TK, weight_TK, loss)
