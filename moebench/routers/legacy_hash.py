"""Legacy: a hash of the place in the batch, blind to the token; nothing is learned."""

import torch
from torch import Tensor

from moebench.routers.base import Causality, RouterSetting, Routing
from moebench.routers.legacy import NOTE, LegacyRouter

_FACTOR, _OFFSET, _STEP = 1_315_423_911, 2_654_435_761, 97


class LegacyHash(LegacyRouter):
    """The published hash: it hashes the number of a token within the flattened batch.

    With 8 or 32 experts it is a fixed round, and the second expert is the neighbour of the first.
    ``hash`` looks the token's id up.
    """

    learned = False
    ignores_gate = True
    positional = True
    causality = Causality.BATCH_COUPLED  # which sequence of a batch it is decides too
    equation = (
        r"chosen: $(1315423911\, i + 2654435761 + 97 j) \bmod E$ for the $i$-th token of the batch "
        r"and $j = 0 \dots K - 1$; weight: $1/K$"
    )
    advice = "Only to repeat published numbers on purpose; `hash` looks at the token."
    paper = f"arXiv:2106.04426, {NOTE}"

    def __init__(self, setting: RouterSetting):
        super().__init__(setting)
        places = {choice * _STEP % self.num_experts for choice in range(self.top_k)}
        if len(places) < self.top_k:
            raise ValueError(
                f"legacy_hash sends a token twice to one of {self.num_experts} experts; choose a "
                f"number of experts that does not divide {_STEP} times a number below top_k"
            )

    def forward(self, logits_TG: Tensor, token_id_BS: Tensor, capacity: int) -> Routing:
        """Assign each token to K experts."""
        place_T = torch.arange(token_id_BS.numel(), device=logits_TG.device)
        choice_K = torch.arange(self.top_k, device=logits_TG.device) * _STEP
        first_T = place_T * _FACTOR + _OFFSET
        expert_TK = (first_T[:, None] + choice_K) % self.num_experts
        weight_TK = logits_TG.new_full(expert_TK.shape, 1 / self.top_k)
        return self.published_choice(expert_TK, weight_TK, capacity)
