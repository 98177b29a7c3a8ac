"""Soft top-k: weights are the softmax over the k kept logits, as in Mixtral."""

from torch import Tensor

from moebench.routers.base import Router, Routing


class Softk(Router):
    """The K largest logits of each token, weighted by the softmax over those K."""

    equation = r"chosen: $\mathrm{top}_K(z)$; weight: softmax over the $K$ kept logits"
    advice = "As the default to beat: it is what most open mixtures do."
    paper = "arXiv:1701.06538, eq. 3-5, without noise; arXiv:2401.04088, sec. 2.1"

    def forward(self, logits_TG: Tensor, token_id_BS: Tensor, capacity: int) -> Routing:
        """Assign each token to K experts."""
        logit_TK, expert_TK = logits_TG.topk(self.top_k, dim=-1)
        loss = self.balance(logits_TG.softmax(dim=-1), expert_TK, token_id_BS)
        return self.token_choice(expert_TK, logit_TK.softmax(dim=-1), loss)
