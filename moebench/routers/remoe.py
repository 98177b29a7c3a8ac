"""ReMoE: the ReLU of a logit is its weight; a penalty that adapts keeps K of them alive."""

from dataclasses import replace

import torch
from torch import Tensor

from moebench.routers.base import Router, RouterSetting, Routing


class Remoe(Router):
    """Every expert with a positive logit, weighted by that logit.

    The choice is continuous in the logits: an expert comes and goes at weight zero. A penalty on
    the weights, heavier for experts with more load, grows by ``penalty_growth`` after each step
    with more than K active experts a token in the mean, and shrinks by it after each with fewer;
    here every layer has a penalty of its own. It stands where other routers have the balance loss.
    """

    fixed_k = False
    equation = (
        r"chosen: $e$ with $z_e > 0$; weight: $\mathrm{ReLU}(z_e)$; loss: "
        r"$\lambda \frac{1}{T} \sum_{t,e} f_e \mathrm{ReLU}(z_{te})$, "
        r"$f_e = \frac{E}{KT} \sum_t [z_{te} > 0]$; after a step "
        r"$\lambda \leftarrow \lambda a^{\mathrm{sign}(1 - K/E - S)}$, $S$ the share of zeros"
    )
    advice = (
        "Where the jumps of top-k disturb training. Starts with half of the experts active, so "
        "short runs want a larger `penalty_start`; without `balance_coef` nothing holds K."
    )
    paper = "arXiv:2412.14711 (ReMoE)"

    penalty: Tensor

    def __init__(
        self, setting: RouterSetting, *, penalty_start: float = 1e-8, penalty_growth: float = 1.2
    ):
        super().__init__(setting)
        if penalty_start <= 0:
            raise ValueError(f"penalty_start={penalty_start} must be > 0; 0 could never grow")
        if penalty_growth <= 1:
            raise ValueError(f"penalty_growth={penalty_growth} must be > 1")
        self.penalty_growth = penalty_growth
        self.register_buffer("penalty", torch.tensor(penalty_start, dtype=torch.float32))

    def forward(self, logits_TG: Tensor, token_id_BS: Tensor, capacity: int) -> Routing:
        """Assign each token to the experts that are alive for it, be it none."""
        T, E = logits_TG.shape
        weight_TE = logits_TG.relu()
        routing = self.choice_of(weight_TE > 0, weight_TE)
        self.observe(
            num_active=torch.tensor(routing.num_requested),
            num_all=torch.tensor(T * E),
        )
        share_E = routing.load_E().to(weight_TE.dtype) * E / (self.top_k * T)
        loss = self.penalty.to(weight_TE.dtype) * (share_E * weight_TE.mean(dim=0)).sum()
        return replace(routing, balance_loss=loss)

    def learn_from(self, totals: dict[str, Tensor]) -> None:
        """Raise the penalty where too many were active, lower it where too few were."""
        excess = totals["num_active"] / totals["num_all"] - self.top_k / self.num_experts
        self.penalty *= self.penalty_growth ** excess.sign()
