"""Noisy top-k: in training, noise of a learned width per token and expert shakes the choice."""

import torch
from torch import Tensor
from torch.nn import functional

from moebench.routers.base import Router, Routing


class NoisyTopk(Router):
    """The K largest noisy logits, weighted by the softmax over them; no noise when scoring.

    The gate has E further columns, whose softplus is the standard deviation of the noise. The
    balance loss is that of the paper: squared coefficients of variation of importance (sum of
    weights) and of a smooth estimate of load.
    """

    noisy = True
    equation = (
        r"$h_e = z_e + \varepsilon \cdot \mathrm{softplus}(z_{E+e})$, "
        r"$\varepsilon \sim \mathcal{N}(0, 1)$ in training and $0$ when scoring; "
        r"chosen: $\mathrm{top}_K(h)$; weight: softmax over the $K$ kept $h$"
    )
    advice = (
        "As the origin of the field, and where experts starve because the gate never tries them."
    )
    paper = "arXiv:1701.06538 (Outrageously Large Neural Networks)"

    @property
    def num_logits(self) -> int:
        """Two columns an expert: its logit, and the width of its noise."""
        return 2 * self.num_experts

    def forward(self, logits_TG: Tensor, token_id_BS: Tensor, capacity: int) -> Routing:
        """Assign each token to K experts."""
        clean_TE, width_TE = logits_TG.split(self.num_experts, dim=-1)
        if not self.training:
            logit_TK, expert_TK = clean_TE.topk(self.top_k, dim=-1)
            return self.token_choice(expert_TK, logit_TK.softmax(dim=-1))
        width_TE = functional.softplus(width_TE)
        noisy_TE = clean_TE + torch.randn_like(clean_TE) * width_TE
        logit_TK, expert_TK = noisy_TE.topk(self.top_k, dim=-1)
        weight_TK = logit_TK.softmax(dim=-1)
        importance_E = torch.zeros_like(clean_TE).scatter(1, expert_TK, weight_TK).sum(dim=0)
        loss = _squared_cv(importance_E)
        if self.top_k < self.num_experts:
            loss = loss + _squared_cv(self._smooth_load_E(clean_TE, noisy_TE, width_TE))
        return self.token_choice(expert_TK, weight_TK, loss)

    def _smooth_load_E(self, clean_TE: Tensor, noisy_TE: Tensor, width_TE: Tensor) -> Tensor:
        """Sum over tokens of the chance that each expert is chosen if its noise is drawn anew."""
        largest_TK = noisy_TE.topk(self.top_k + 1, dim=-1).values
        in_TE, out_TE = largest_TK[:, -2:-1], largest_TK[:, -1:]
        # What an expert has to beat: the K-th largest of the others.
        rival_TE = torch.where(noisy_TE >= in_TE, out_TE, in_TE)
        chance_TE: Tensor = torch.special.ndtr((clean_TE - rival_TE) / width_TE)
        return chance_TE.sum(dim=0)


def _squared_cv(value_E: Tensor) -> Tensor:
    """Squared coefficient of variation, a scalar; 0 when all are equal."""
    return value_E.var(correction=0) / value_E.mean().square()
