"""The router interface: from gate logits to assignments.

Shapes, here and in every router: T tokens of the pool, E experts, K choices a token,
M assignments requested, N assignments kept, V entries of the vocabulary.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

import torch
from torch import Tensor, nn


class Causality(IntEnum):
    """What a token's assignments may depend on; a larger value depends on more."""

    TOKEN_LOCAL = 0  # on the token alone
    PREFIX_CAUSAL = 1  # on earlier tokens of the same sequence
    BATCH_COUPLED = 2  # on other sequences of the batch, never on later tokens of its own
    NON_CAUSAL = 3  # on later tokens: a teacher-forced score is then no language-model score

    def __str__(self) -> str:
        return self.name.lower().replace("_", "-")


@dataclass(frozen=True, kw_only=True)
class Routing:
    """Who goes where: ``token_N[i]`` is sent to ``expert_N[i]`` and returns times ``weight_N[i]``.

    A list of assignments, because it holds token choice, expert choice, dropping and dropless
    routing alike. A token reaches an expert at most once.
    """

    token_N: Tensor
    expert_N: Tensor
    weight_N: Tensor
    num_tokens: int
    num_experts: int
    num_requested: int  # assignments before capacity; those dropped are num_requested - N
    balance_loss: Tensor  # scalar, without its coefficient

    def load_E(self) -> Tensor:
        """Tokens per expert, shape (E,)."""
        return torch.bincount(self.expert_N, minlength=self.num_experts)

    def num_routed(self) -> int:
        """Tokens that reach at least one expert."""
        return int(torch.bincount(self.token_N, minlength=self.num_tokens).count_nonzero())


@dataclass(frozen=True, kw_only=True)
class RouterSetting:
    """What the layer tells its router once."""

    num_experts: int
    top_k: int
    token_count_V: Tensor  # how often each token id occurs in the training text


class Router(nn.Module, ABC):
    """The policy from logits to assignments.

    It holds no gate: the projection belongs to the layer, so routers are compared on equal logits.
    Options that config may set are keyword-only parameters of the constructor.
    """

    learned: ClassVar[bool] = True  # whether the task loss sends a gradient through the logits
    causality: ClassVar[Causality] = Causality.TOKEN_LOCAL
    paper: ClassVar[str]  # arXiv number and equation

    def __init__(self, setting: RouterSetting):
        super().__init__()
        self.num_experts = setting.num_experts
        self.top_k = setting.top_k

    @abstractmethod
    def forward(self, logits_TE: Tensor, token_id_T: Tensor, capacity: int) -> Routing:
        """Assign tokens to experts.

        ``logits_TE`` float; ``token_id_T`` long; ``capacity`` slots per expert, which only routers
        whose experts choose need to look at: what token choice requests beyond it is dropped later.
        """

    def token_choice(
        self, expert_TK: Tensor, weight_TK: Tensor, balance_loss: Tensor | None = None
    ) -> Routing:
        """Routing of a router where each token picks K experts; all (T, K) are requested."""
        T, K = expert_TK.shape
        token_M = torch.arange(T, device=expert_TK.device).repeat_interleave(K)
        return Routing(
            token_N=token_M,
            expert_N=expert_TK.reshape(-1),
            weight_N=weight_TK.reshape(-1),
            num_tokens=T,
            num_experts=self.num_experts,
            num_requested=T * K,
            balance_loss=weight_TK.new_zeros(()) if balance_loss is None else balance_loss,
        )


def expert_capacity(num_tokens: int, num_experts: int, top_k: int, factor: float) -> int:
    """Slots per expert: ceil(factor * T * K / E)."""
    return math.ceil(factor * num_tokens * top_k / num_experts)


def balance_loss(prob_TE: Tensor, expert_TK: Tensor) -> Tensor:
    """Switch's balance loss (arXiv:2101.03961, eq. 4): E * sum_e f_e P_e, 1 when balanced.

    f_e is the share of requested assignments, a count without gradient; P_e is the mean
    probability, through which the gate learns.
    """
    num_experts = prob_TE.shape[1]
    share_E = torch.bincount(expert_TK.reshape(-1), minlength=num_experts) / expert_TK.numel()
    return num_experts * (share_E.to(prob_TE.dtype) * prob_TE.mean(dim=0)).sum()


def z_loss(logits_TE: Tensor) -> Tensor:
    """ST-MoE's router z-loss (arXiv:2202.08906, eq. 5): mean of logsumexp squared."""
    return logits_TE.logsumexp(dim=-1).square().mean()
