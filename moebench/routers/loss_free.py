"""Balance without a loss: a bias per expert steers the choice, and stays out of the weights."""

import torch
from torch import Tensor

from moebench.routers.base import Router, RouterSetting, Routing


class LossFree(Router):
    """The K largest sigmoids plus bias, weighted by the sigmoids alone.

    After each optimiser step the bias of an expert with less than the mean load of the whole batch
    rises by ``bias_step``, that of one with more falls by as much.
    """

    equation = (
        r"chosen: $\mathrm{top}_K(s_e + b_e)$ with $s_e = \sigma(z_e)$; weight: "
        r"$s_e / \sum_{\mathrm{chosen}} s$; after a step "
        r"$b_e \leftarrow b_e + u \cdot \mathrm{sign}(\bar n - n_e)$, $n_e$ the load"
    )
    advice = (
        "The usual balance of large models since 2024; no gradient competes with the task. "
        "Short runs want a larger `bias_step`: the bias moves by at most steps x `bias_step`."
    )
    paper = "arXiv:2408.15664; normalised as in arXiv:2412.19437 (DeepSeek-V3)"

    bias_E: Tensor

    def __init__(
        self, setting: RouterSetting, *, bias_step: float = 0.001, renormalise: bool = True
    ):
        super().__init__(setting)
        if bias_step <= 0:
            raise ValueError(f"bias_step={bias_step} must be > 0; 0 would never balance")
        self.bias_step = bias_step
        self.renormalise = renormalise
        self.register_buffer("bias_E", torch.zeros(setting.num_experts, dtype=torch.float32))

    def forward(self, logits_TG: Tensor, token_id_BS: Tensor, capacity: int) -> Routing:
        """Assign each token to K experts."""
        score_TE = logits_TG.sigmoid()
        expert_TK = (score_TE.detach() + self.bias_E).topk(self.top_k, dim=-1).indices
        weight_TK = score_TE.gather(1, expert_TK)
        if self.renormalise:
            weight_TK = weight_TK / weight_TK.sum(dim=-1, keepdim=True)
        routing = self.token_choice(expert_TK, weight_TK)
        self.observe(load_E=routing.load_E())
        return routing

    def learn_from(self, totals: dict[str, Tensor]) -> None:
        """Move each bias by one step, against the load."""
        load_E = totals["load_E"].to(self.bias_E.dtype)
        self.bias_E += self.bias_step * (load_E.mean() - load_E).sign()
