"""Control: experts take turns by position, blind to the text."""

import torch
from torch import Tensor

from moebench.routers.base import Router, Routing


class RoundRobin(Router):
    """Position s of a sequence goes to the K experts from s * K on, counted modulo E."""

    learned = False
    ignores_gate = True
    positional = True
    equation = r"chosen: $(sK + j) \bmod E$ for $j = 0 \dots K - 1$ at position $s$; weight: $1/K$"
    advice = (
        "As the lower end of the scale: perfect balance, no information. A router that is not "
        "better than this one has learnt nothing of use."
    )
    paper = "arXiv:2106.04426 (Hash Layers), to which it is a control; not theirs"

    def forward(self, logits_TG: Tensor, token_id_BS: Tensor, capacity: int) -> Routing:
        """Assign each token to K experts."""
        B, S = token_id_BS.shape
        start_S = torch.arange(S, device=logits_TG.device) * self.top_k
        choice_K = torch.arange(self.top_k, device=logits_TG.device)
        expert_SK = (start_S[:, None] + choice_K) % self.num_experts
        expert_TK = expert_SK.repeat(B, 1)
        weight_TK = logits_TG.new_full(expert_TK.shape, 1 / self.top_k)
        return self.token_choice(expert_TK, weight_TK)
