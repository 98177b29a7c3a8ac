"""Hash routing: a fixed, balanced table of the token id; nothing is learned (arXiv:2106.04426)."""

import torch
from torch import Tensor

from moebench.routers.base import Router, RouterSetting, Routing


class Hash(Router):
    """Looks the token id up in a table that spreads the training text evenly over the experts.

    The table is filled greedily, choice by choice: token ids from frequent to rare, each to the
    expert with the least load so far. A token id more frequent than its fair share still overloads
    its experts, as no fixed table can prevent.
    """

    learned = False
    ignores_gate = True
    equation = r"chosen: the $K$ experts that a table gives for the token id; weight: $1/K$"
    advice = (
        "Where routing must cost nothing, be known beforehand, or never collapse; and as the "
        "control that says how much of a router's gain is knowing the token itself."
    )
    paper = "arXiv:2106.04426, sec. 3.1 (balanced assignment)"

    expert_VK: Tensor

    def __init__(self, setting: RouterSetting, *, table_seed: int = 0):
        super().__init__(setting)
        table = _balanced_table(
            setting.token_count_V, setting.num_experts, setting.top_k, table_seed
        )
        self.register_buffer("expert_VK", table)

    def forward(self, logits_TG: Tensor, token_id_BS: Tensor, capacity: int) -> Routing:
        """Assign each token to the K experts of its id."""
        expert_TK = self.expert_VK[token_id_BS.flatten()]
        weight_TK = logits_TG.new_full(expert_TK.shape, 1 / self.top_k)
        return self.token_choice(expert_TK, weight_TK)


def _balanced_table(token_count_V: Tensor, num_experts: int, top_k: int, seed: int) -> Tensor:
    """K experts for each token id, long, shape (V, K)."""
    generator = torch.Generator().manual_seed(seed)
    # A token id that never occurs still takes up a little room, so that such ids spread as well.
    weight_V = token_count_V.double() + 1 / len(token_count_V)
    expert_VK = torch.empty(len(token_count_V), top_k, dtype=torch.long)
    for choice in range(top_k):
        # In one and the same order, the experts of a token would be those of its neighbours too,
        # and act as one wide expert; so every choice has an order of its own, falling on the whole.
        order_V = (weight_V * (1 + torch.rand(len(weight_V), generator=generator))).argsort()
        load_E = torch.zeros(num_experts, dtype=torch.double)
        for token_id in order_V.flip(0).tolist():
            open_E = load_E.index_fill(0, expert_VK[token_id, :choice], torch.inf)
            expert = open_E.argmin()
            expert_VK[token_id, choice] = expert
            load_E[expert] += weight_V[token_id]
    return expert_VK
