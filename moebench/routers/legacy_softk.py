"""Legacy: soft top-k whose balance loss is made of counts and trains nothing."""

from torch import Tensor

from moebench.routers.base import Routing
from moebench.routers.legacy import NOTE, LegacyRouter


class LegacySoftk(LegacyRouter):
    """Chooses and weighs as ``softk`` does; the task alone trains the gate, nothing balances it."""

    equation = r"chosen: $\mathrm{top}_K(z)$; weight: softmax over the $K$ kept logits"
    advice = "Only to repeat published numbers on purpose; `softk` has a balance loss that trains."
    paper = f"arXiv:2401.04088, sec. 2.1, {NOTE}"

    def forward(self, logits_TG: Tensor, token_id_BS: Tensor, capacity: int) -> Routing:
        """Assign each token to K experts."""
        logit_TK, expert_TK = logits_TG.topk(self.top_k, dim=-1)
        return self.published_choice(expert_TK, logit_TK.softmax(dim=-1), capacity)
