"""Quantile balancing: the biases that would have balanced the last batch, without a step size."""

import torch
from torch import Tensor

from moebench.routers.base import Router, RouterSetting, Routing, RunningMean


class QuantileBalance(Router):
    """The K largest sigmoids less a threshold per expert, weighted by the sigmoids alone.

    One step on the dual of balanced assignment per batch: what a token's (K+1)-th choice offers is
    its price, and an expert's threshold is where T K / E tokens outbid theirs. The thresholds of
    the batch before are applied, or with ``decay`` a running mean of them.
    """

    equation = (
        r"chosen: $\mathrm{top}_K(s_e - \beta_e)$ with $s_e = \sigma(z_e)$; weight: "
        r"$s_e / \sum_{\mathrm{chosen}} s$; after a step $\beta_e$ is the "
        r"$(TK/E + 1)$-th largest $s_{te} - \alpha_t$, $\alpha_t$ the $(K+1)$-th largest "
        r"$s_{te} - \beta_e$"
    )
    advice = (
        "Where `loss_free` would need its step tuned, as in short runs: there is none, and one "
        "batch is enough to come near balance."
    )
    paper = "arXiv:2408.15664 for the bias; thresholds by quantiles: J. Su, kexue.fm/archives/11619"

    def __init__(self, setting: RouterSetting, *, decay: float = 0.0):
        super().__init__(setting)
        self.threshold = RunningMean(torch.zeros(setting.num_experts), decay)

    def forward(self, logits_TG: Tensor, token_id_BS: Tensor, capacity: int) -> Routing:
        """Assign each token to K experts."""
        score_TE = logits_TG.sigmoid()
        offer_TE = score_TE.detach() - self.threshold.value
        expert_TK = offer_TE.topk(self.top_k, dim=-1).indices
        if self.training and self.top_k < self.num_experts:
            price_T = offer_TE.topk(self.top_k + 1, dim=-1).values[:, -1:]
            num_wanted = len(score_TE) * self.top_k // self.num_experts
            bid_TE = score_TE.detach() - price_T
            self.observe(
                threshold_E=bid_TE.topk(num_wanted + 1, dim=0).values[-1],
                num_batches=torch.ones((), device=bid_TE.device),
            )
        weight_TK = score_TE.gather(1, expert_TK)
        return self.token_choice(expert_TK, weight_TK / weight_TK.sum(dim=-1, keepdim=True))

    def learn_from(self, totals: dict[str, Tensor]) -> None:
        """Take the thresholds of the batch, their mean where it came in parts."""
        self.threshold.update(totals["threshold_E"] / totals["num_batches"])
