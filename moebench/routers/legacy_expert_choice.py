"""Legacy: expert choice of at most 64 tokens an expert; all others choose as in soft top-k."""

import torch
from torch import Tensor

from moebench.routers.base import Causality, Routing
from moebench.routers.legacy import NOTE, LegacyRouter

_MOST_TAKEN = 64


class LegacyExpertChoice(LegacyRouter):
    """The published expert choice: a clamp leaves most tokens to ordinary soft top-k.

    Each expert takes its best tokens by logit, 64 at most. A token keeps K of those that took it;
    where fewer did, the places left carry weight 0 and still ask for room. A token that nobody took
    chooses for itself. ``expert_choice`` has no clamp.
    """

    causality = Causality.NON_CAUSAL
    fills_capacity = True
    equation = (
        r"chosen: $\mathrm{top}_K(z)$ among the experts with the token in their "
        r"$\min(C, T, 64)$ largest logits, among all where there is none; weight: softmax over "
        r"those, 0 beyond them"
    )
    advice = "Only to repeat published numbers on purpose; `expert_choice` has no clamp."
    paper = f"arXiv:2202.09368, eq. 1-2, {NOTE}"

    def forward(self, logits_TG: Tensor, token_id_BS: Tensor, capacity: int) -> Routing:
        """Assign each token to K experts, some with weight 0."""
        taken = min(capacity, len(logits_TG), _MOST_TAKEN)
        token_CE = logits_TG.topk(taken, dim=0).indices
        is_taken_TE = torch.zeros_like(logits_TG, dtype=torch.bool).scatter(0, token_CE, True)
        is_open_TE = is_taken_TE | ~is_taken_TE.any(dim=1, keepdim=True)
        logit_TK, expert_TK = logits_TG.masked_fill(~is_open_TE, -torch.inf).topk(self.top_k, dim=1)
        return self.published_choice(expert_TK, logit_TK.softmax(dim=-1), capacity)
