"""Expert threshold: each expert takes whoever scores above a running quantile; causal."""

import torch
from torch import Tensor

from moebench.routers.base import (
    Causality,
    Router,
    RouterSetting,
    Routing,
    RunningMean,
    expert_capacity,
)


class ExpertThreshold(Router):
    """Every expert whose running threshold the token's probability reaches.

    The threshold of an expert is a running mean, with ``decay``, of the probability that T K / E
    tokens of a batch reached, so an expert takes its share in the mean and a token K. For the first
    ``warmup_steps`` steps training uses the threshold of the batch itself, which is expert choice
    at capacity factor 1 and non-causal; scoring uses the running one from the first step on.
    """

    training_causality = Causality.NON_CAUSAL  # while it warms up
    fixed_k = False
    equation = (
        r"chosen: $e$ with $p_e \ge c_e$; weight: $p_e$; "
        r"$c_e \leftarrow d c_e + (1 - d) q_e$, $q_e$ the $(TK/E)$-th largest $p_{te}$ of the batch"
    )
    advice = (
        "In place of expert choice wherever text is generated: the same idea, a choice by experts "
        "with balance and no loss for it, and no look at the future. Read `effective_k`."
    )
    paper = "arXiv:2603.11535"

    def __init__(self, setting: RouterSetting, *, decay: float = 0.9, warmup_steps: int = 20):
        super().__init__(setting)
        if warmup_steps < 0:
            raise ValueError(f"warmup_steps={warmup_steps} must be >= 0")
        self.warmup_steps = warmup_steps
        level_E = torch.full((setting.num_experts,), 1 / setting.num_experts)
        self.threshold = RunningMean(level_E, decay)

    def forward(self, logits_TG: Tensor, token_id_BS: Tensor, capacity: int) -> Routing:
        """Assign each token to as many experts as it is good enough for, be it none."""
        prob_TE = logits_TG.softmax(dim=-1)
        threshold_E = self.threshold.value.to(prob_TE.dtype)
        if self.training:
            num_taken = expert_capacity(len(prob_TE), self.num_experts, self.top_k, 1.0)
            reached_E = prob_TE.detach().topk(num_taken, dim=0).values[-1]
            self.observe(threshold_E=reached_E, num_batches=torch.ones((), device=reached_E.device))
            is_cold = self.threshold.num_updates < self.warmup_steps
            threshold_E = torch.where(is_cold, reached_E, threshold_E)
        return self.choice_of(prob_TE >= threshold_E, prob_TE)

    def learn_from(self, totals: dict[str, Tensor]) -> None:
        """Move the thresholds towards those of the batch."""
        self.threshold.update(totals["threshold_E"] / totals["num_batches"])
