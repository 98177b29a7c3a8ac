"""The definition of dispatch and combine: one assignment at a time, to be believed at once."""

import torch
from torch import Tensor

from moebench.dispatch.base import Dispatch, Experts
from moebench.routers.base import Routing


class Reference(Dispatch):
    """A loop over assignments. Never made faster."""

    def __call__(self, x_TD: Tensor, routing: Routing, experts: Experts) -> Tensor:
        """Send each token to its experts and add up the weighted answers."""
        routing = routing.served()
        y_TD = [torch.zeros_like(x_D) for x_D in x_TD]
        for token, expert, weight in zip(
            routing.token_N.tolist(), routing.expert_N.tolist(), routing.weight_N, strict=True
        ):
            answer_D = experts(x_TD[token].unsqueeze(0), expert).squeeze(0)
            y_TD[token] = y_TD[token] + weight * answer_D
        return torch.stack(y_TD)
