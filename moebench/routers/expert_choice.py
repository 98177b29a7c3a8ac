"""Expert choice: each expert takes its best tokens (arXiv:2202.09368, sec. 3.2)."""

import torch
from torch import Tensor

from moebench.routers.base import Causality, Router, Routing


class ExpertChoice(Router):
    """Every expert takes the ``capacity`` tokens of the pool with its largest probabilities.

    Load is equal by construction, a token may be taken by none or by several. The pool holds
    later tokens of the same sequence, so the routing of a token depends on its future: the
    teacher-forced score of such a model cannot be reached when text is generated.
    """

    causality = Causality.NON_CAUSAL
    fixed_k = False
    fills_capacity = True
    equation = (
        r"chosen: by each expert the `capacity` tokens of the pool with its largest $p_e$; "
        r"weight: $p_e$"
    )
    advice = (
        "Where whole texts are at hand, as in encoders; in a model that generates text only as "
        "the bound that `expert_threshold` and `expert_choice_position` try to reach without "
        "its leak."
    )
    paper = "arXiv:2202.09368, eq. 1-2"

    def forward(self, logits_TG: Tensor, token_id_BS: Tensor, capacity: int) -> Routing:
        """Assign ``capacity`` tokens to each expert; all of the pool, where it holds fewer."""
        T, E = logits_TG.shape
        taken = T if capacity > T else capacity  # an expert takes a token at most once
        weight_EC, token_EC = logits_TG.softmax(dim=-1).T.topk(taken, dim=-1)
        return Routing(
            token_N=token_EC.reshape(-1),
            expert_N=torch.arange(E, device=logits_TG.device).repeat_interleave(taken),
            weight_N=weight_EC.reshape(-1),
            num_tokens=T,
            num_experts=E,
            num_requested=E * taken,
            balance_loss=logits_TG.new_zeros(()),
        )
