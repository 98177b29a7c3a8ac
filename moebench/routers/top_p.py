"""Top-p: as many experts as it takes to hold a share of the probability; the share aims at K."""

from dataclasses import replace

import torch
from torch import Tensor

from moebench.routers.base import Router, RouterSetting, Routing, RunningMean, balance_loss


class TopP(Router):
    """Every expert before which the more probable ones hold at most the share P.

    A token whose gate is sure takes one expert, one that is torn takes many. P is no option: it is
    a running mean, with ``decay``, of the share that would have given the batch K experts a token.
    The weights are the probabilities.
    """

    fixed_k = False
    equation = (
        r"chosen: $e$ with $\sum_{j: p_j > p_e} p_j \le P$; weight: $p_e$; "
        r"$P \leftarrow d P + (1 - d) P_K$, where $P_K$ gives the batch $K$ experts a token in "
        r"the mean"
    )
    advice = (
        "Where hard tokens should get more experts. The mean holds on text like that of training: "
        "read `effective_k`. Capacity must leave room, or `drop_policy` be `none`."
    )
    paper = "arXiv:2403.07652 (Harder Tasks Need More Experts); the aim at K after arXiv:2512.13996"

    def __init__(self, setting: RouterSetting, *, decay: float = 0.9):
        super().__init__(setting)
        start = (setting.top_k - 0.5) / setting.num_experts  # K experts where p is level
        self.share = RunningMean(torch.tensor(start), decay)

    def forward(self, logits_TG: Tensor, token_id_BS: Tensor, capacity: int) -> Routing:
        """Assign each token to one expert or more."""
        T = len(logits_TG)
        prob_TE = logits_TG.softmax(dim=-1)
        ranked_TE, expert_TE = prob_TE.detach().sort(dim=-1, descending=True, stable=True)
        before_TE = ranked_TE.cumsum(dim=-1) - ranked_TE
        self.observe(
            share=before_TE.flatten().kthvalue(T * self.top_k).values,
            num_batches=torch.ones((), device=prob_TE.device),
        )
        is_chosen_TE = torch.zeros_like(expert_TE, dtype=torch.bool).scatter(
            1, expert_TE, before_TE <= self.share.value
        )
        routing = self.choice_of(is_chosen_TE, prob_TE)
        loss = balance_loss(prob_TE, is_chosen_TE, self.num_pools(token_id_BS))
        return replace(routing, balance_loss=loss)

    def learn_from(self, totals: dict[str, Tensor]) -> None:
        """Move the share towards that of the batch."""
        self.share.update(totals["share"] / totals["num_batches"])
