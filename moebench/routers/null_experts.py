"""Null experts: part of the choices may fall on experts that do nothing, so tokens differ in K."""

import torch
from torch import Tensor

from moebench.routers.base import Router, RouterSetting, Routing


class NullExperts(Router):
    """The ``pool_factor`` * K largest logits among E experts and (``pool_factor`` - 1) * E nulls.

    A choice that falls on a null costs nothing and adds nothing, but has its share of the weight.
    The balance loss over the whole pool leaves, on average, K choices for the real experts.
    """

    fixed_k = False
    equation = (
        r"chosen: the experts $e \le E$ in $\mathrm{top}_{rK}$ of $rE$ logits, $r$ = "
        r"`pool_factor`; weight: softmax over the $rK$ kept logits"
    )
    advice = (
        "Where tokens should differ in compute and the model must stay causal. The mean holds only "
        "as well as the balance loss holds it: read `effective_k`."
    )
    paper = "arXiv:2406.13233 (AdaMoE), with the weights of arXiv:2410.07348 (MoE++, zero experts)"

    def __init__(self, setting: RouterSetting, *, pool_factor: int = 2):
        super().__init__(setting)
        if pool_factor < 2:
            raise ValueError(f"pool_factor={pool_factor} must be >= 2; 1 would have no nulls")
        self.num_picks = pool_factor * setting.top_k
        self.num_choices = pool_factor * setting.num_experts

    def forward(self, logits_TG: Tensor, token_id_BS: Tensor, capacity: int) -> Routing:
        """Assign each token to as many experts as its picks are no nulls."""
        logit_TP, pick_TP = logits_TG.topk(self.num_picks, dim=-1)
        is_picked_TG = torch.zeros_like(logits_TG, dtype=torch.bool).scatter(1, pick_TP, True)
        weight_TG = torch.zeros_like(logits_TG).scatter(1, pick_TP, logit_TP.softmax(dim=-1))
        E = self.num_experts
        loss = self.balance(logits_TG.softmax(dim=-1), pick_TP, token_id_BS)
        return self.choice_of(is_picked_TG[:, :E], weight_TG[:, :E], loss)
