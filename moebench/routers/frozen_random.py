"""Control: soft top-k by a gate that stays at its random start."""

from torch import Tensor

from moebench.routers.base import Router, Routing


class FrozenRandom(Router):
    """Chooses and weighs as ``softk`` does, and sends nothing back to the gate.

    The gate is the layer's, drawn as every gate is; no loss reaches it and weight decay leaves a
    matrix without gradient alone, so it is a fixed random projection of whatever the layer sees.
    """

    learned = False
    equation = (
        r"chosen: $\mathrm{top}_K(z)$, with the gate's matrix at its start; weight: softmax over "
        r"the $K$ kept logits"
    )
    advice = (
        "To separate two things: routing by content, and a router that learns. What `softk` "
        "gains over it is due to training the gate."
    )
    paper = "arXiv:2604.14419, random fixed routing as a control"

    def forward(self, logits_TG: Tensor, token_id_BS: Tensor, capacity: int) -> Routing:
        """Assign each token to K experts."""
        logit_TK, expert_TK = logits_TG.detach().topk(self.top_k, dim=-1)
        return self.token_choice(expert_TK, logit_TK.softmax(dim=-1))
