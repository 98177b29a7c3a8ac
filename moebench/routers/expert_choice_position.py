"""Expert choice among tokens of equal position: no token competes with its own future."""

import torch
from torch import Tensor

from moebench.routers.base import Causality, Router, Routing


class ExpertChoicePosition(Router):
    """At each position every expert takes its most probable tokens among the B sequences.

    The expert's ``capacity`` slots are spread over the S positions as evenly as whole numbers
    allow; where a position has more slots than there are sequences, all are taken.
    """

    causality = Causality.BATCH_COUPLED
    fixed_k = False
    positional = True  # some positions have a slot more than others
    needs_batch = True
    fills_capacity = True
    equation = (
        r"chosen: at position $s$ the tokens with the largest $p_e$ of the batch, `capacity` "
        r"$/ S$ of them for each expert; weight: $p_e$"
    )
    advice = (
        "To have expert choice without its leak. Needs many sequences at once, in generation too, "
        "and a score depends on which texts share the batch."
    )
    paper = "arXiv:2402.07871, grouping by position; arXiv:2202.09368, sec. 3.2"

    def forward(self, logits_TG: Tensor, token_id_BS: Tensor, capacity: int) -> Routing:
        """Assign to each expert its slots' worth of tokens."""
        B, S = token_id_BS.shape
        E = self.num_experts
        prob_BSE = logits_TG.softmax(dim=-1).view(B, S, E)
        end_S = torch.arange(1, S + 1, device=logits_TG.device) * capacity // S
        slots_S = end_S.diff(prepend=end_S.new_zeros(1))
        rank_BSE = prob_BSE.detach().argsort(dim=0, descending=True, stable=True).argsort(dim=0)
        is_taken_BSE = rank_BSE < slots_S[:, None]
        return self.choice_of(is_taken_BSE.view(-1, E), prob_BSE.view(-1, E))
