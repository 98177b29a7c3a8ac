"""Switch routing: each token goes to its most probable expert (arXiv:2101.03961, eq. 1-2)."""

from torch import Tensor

from moebench.routers.base import Router, RouterSetting, Routing


class Top1(Router):
    """The largest probability over all experts, which is also the weight, so that the gate learns.

    Takes one expert whatever ``top_k`` says, hence half the active parameters of a top-2 router.
    """

    equation = r"chosen: $\mathrm{top}_1(z)$; weight: $p_e$"
    advice = (
        "Where time counts more than quality: half the experts of a top-2 router, about half the "
        "work."
    )
    paper = "arXiv:2101.03961, eq. 1-2 and 4"

    def __init__(self, setting: RouterSetting):
        super().__init__(setting)
        self.top_k = 1

    def forward(self, logits_TG: Tensor, token_id_BS: Tensor, capacity: int) -> Routing:
        """Assign each token to one expert."""
        prob_TE = logits_TG.softmax(dim=-1)
        weight_TK, expert_TK = prob_TE.topk(1, dim=-1)
        loss = self.balance(prob_TE, expert_TK, token_id_BS)
        return self.token_choice(expert_TK, weight_TK, loss)
