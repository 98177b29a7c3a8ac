"""Balanced by transport in training (Sinkhorn), plain top-k when scoring."""

from torch import Tensor

from moebench.routers.base import Causality, Router, RouterSetting, Routing


class Sinkhorn(Router):
    """In training, the K largest entries of a plan that gives every expert an equal share.

    The plan scales exp(z) until tokens and experts have equal totals; no gradient passes it. It
    weighs a token against all others of the batch, later ones included: the choice of training is
    non-causal. Scoring needs no balance and takes the K largest logits.
    """

    training_causality = Causality.NON_CAUSAL
    equation = (
        r"chosen: $\mathrm{top}_K(\pi)$ in training, $\pi_{te} = u_t e^{z_{te}} v_e$ with equal "
        r"sums over tokens and over experts; $\mathrm{top}_K(z)$ when scoring; weight: $p_e$, "
        r"or $\sigma(z_e)$ where $K = 1$"
    )
    advice = (
        "Where balance must hold from the first step and no balance loss is wanted. The model is "
        "trained with other choices than it is scored with; look at its held-out load."
    )
    paper = "arXiv:2202.01169 (S-BASE), after arXiv:2103.16716 (BASE)"

    def __init__(self, setting: RouterSetting, *, num_iterations: int = 20):
        super().__init__(setting)
        if num_iterations < 1:
            raise ValueError(f"num_iterations={num_iterations} must be >= 1")
        self.num_iterations = num_iterations

    def forward(self, logits_TG: Tensor, token_id_BS: Tensor, capacity: int) -> Routing:
        """Assign each token to K experts."""
        log_plan_TE = logits_TG.detach()
        if self.training:
            for _ in range(self.num_iterations):
                log_plan_TE = log_plan_TE.log_softmax(dim=1)
                log_plan_TE = log_plan_TE - log_plan_TE.logsumexp(dim=0)
        expert_TK = log_plan_TE.topk(self.top_k, dim=-1).indices
        gate_TE = logits_TG.sigmoid() if self.top_k == 1 else logits_TG.softmax(dim=-1)
        return self.token_choice(expert_TK, gate_TE.gather(1, expert_TK))
