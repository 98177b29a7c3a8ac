"""The router interface: from gate logits to assignments.

Shapes, here and in every router: T = B * S tokens of the pool, in B sequences of S tokens,
E experts, K choices a token, G columns of the gate (E unless the router says otherwise),
M assignments requested, N assignments kept, V entries of the vocabulary.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import ClassVar, Literal

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
    has_slot_N: Tensor | None = None  # False for those still listed that capacity drops; None: all

    def load_E(self) -> Tensor:
        """Tokens per expert, shape (E,)."""
        # Not bincount, for which a GPU has to ask how long its answer is.
        load_E = self.expert_N.new_zeros(self.num_experts)
        is_load_N = torch.ones_like(self.expert_N) if self.has_slot_N is None else self.has_slot_N
        return load_E.index_add_(0, self.expert_N, is_load_N.to(load_E.dtype))

    def served(self) -> "Routing":
        """Only the assignments that have a slot; how many they are, a GPU has to tell the host."""
        if self.has_slot_N is None:
            return self
        place_N = self.has_slot_N.nonzero().squeeze(1)
        if len(place_N) == len(self.has_slot_N):
            return replace(self, has_slot_N=None)
        return replace(
            self,
            token_N=self.token_N[place_N],
            expert_N=self.expert_N[place_N],
            weight_N=self.weight_N[place_N],
            has_slot_N=None,
        )

    def num_routed(self) -> int:
        """Tokens that reach at least one expert."""
        return int(torch.bincount(self.token_N, minlength=self.num_tokens).count_nonzero())


@dataclass(frozen=True, kw_only=True)
class RouterSetting:
    """What the layer tells its router once: sizes, and the frequencies of the training text."""

    num_experts: int
    top_k: int
    token_count_V: Tensor  # how often each token id occurs in the training text
    balance_scope: Literal["batch", "sequence"] = "batch"  # over which tokens a load is balanced


class Router(nn.Module, ABC):
    """The policy from logits to assignments.

    It holds no gate: the projection belongs to the layer, so routers are compared on equal logits.
    Options that config may set are keyword-only parameters of the constructor.

    What a router carries from step to step (biases, thresholds) stands in buffers: it is saved with
    the model, and ``forward`` only reads it. In training mode ``forward`` tells ``observe`` what it
    saw; once after each optimiser step ``adapt`` hands the totals of the step to ``learn_from``,
    the one method that writes the buffers. In scoring mode nothing is observed: state is frozen.
    """

    learned: ClassVar[bool] = True  # whether the task loss sends a gradient through the logits
    causality: ClassVar[Causality] = Causality.TOKEN_LOCAL  # when scoring
    training_causality: ClassVar[Causality | None] = None  # None: as when scoring
    fixed_k: ClassVar[bool] = True  # whether E experts are asked for K * T tokens, whatever comes
    positional: ClassVar[bool] = False  # whether a token's place in its sequence matters
    noisy: ClassVar[bool] = False  # whether training draws from torch's default generator
    needs_batch: ClassVar[bool] = False  # whether it chooses among sequences, so one is too few
    ignores_gate: ClassVar[bool] = False  # whether the logits decide nothing
    balance_trains: ClassVar[bool] = True  # whether the balance loss sends the gate a gradient
    fills_capacity: ClassVar[bool] = False  # whether it asks for as many tokens as it has slots
    equation: ClassVar[str]  # LaTeX: who is chosen, and with which weight
    advice: ClassVar[str]  # when to use it
    paper: ClassVar[str]  # arXiv number and equation

    def __init__(self, setting: RouterSetting):
        super().__init__()
        self.num_experts = setting.num_experts
        self.top_k = setting.top_k
        self.num_choices = setting.num_experts  # columns of the gate that compete for a token
        self.balance_scope = setting.balance_scope
        self._observed: dict[str, Tensor] = {}

    @property
    def is_token_local(self) -> bool:
        """Whether, as declared, a token's assignments depend on it alone, in training too."""
        return self.causality == Causality.TOKEN_LOCAL and self.training_causality is None

    @property
    def num_logits(self) -> int:
        """Columns of the gate, G: those that compete, first, and any that serve another end."""
        return self.num_choices

    @abstractmethod
    def forward(self, logits_TG: Tensor, token_id_BS: Tensor, capacity: int) -> Routing:
        """Assign tokens to experts.

        ``logits_TG`` float; ``token_id_BS`` long, which also says where sequences begin;
        ``capacity`` slots per expert, which only routers whose experts choose need to look at:
        what token choice requests beyond it is dropped later.
        """

    def observe(self, **seen: Tensor) -> None:
        """Add to the totals of this optimiser step, by name; in scoring mode, nothing happens."""
        if self.training:
            for name, value in seen.items():
                total = self._observed.get(name)
                self._observed[name] = value.detach() if total is None else total + value.detach()

    def adapt(self, add_up: Callable[[Tensor], Tensor] | None = None) -> None:
        """Learn from the whole batch of an optimiser step; to be called once after each.

        The totals are sums over forward passes and over nothing else. Where each of several ranks
        has observed its own tokens alone, ``add_up`` sums a total over ranks.
        """
        totals, self._observed = self._observed, {}
        if totals:
            with torch.no_grad():
                if add_up is not None:
                    totals = {name: add_up(total) for name, total in totals.items()}
                self.learn_from(totals)

    def learn_from(self, totals: dict[str, Tensor]) -> None:
        """Change what the router carries, given the totals of one optimiser step."""
        raise AssertionError(f"{type(self).__name__} observes {sorted(totals)} and learns nothing")

    def balance(self, prob_TE: Tensor, expert_TK: Tensor, token_id_BS: Tensor) -> Tensor:
        """Switch's balance loss of tokens that ask for K columns each, in the scope asked for."""
        is_asked_TE = torch.zeros_like(prob_TE, dtype=torch.bool).scatter(1, expert_TK, True)
        return balance_loss(prob_TE, is_asked_TE, self.num_pools(token_id_BS))

    def num_pools(self, token_id_BS: Tensor) -> int:
        """Into how many parts the balance loss cuts the tokens: one, or one for each sequence."""
        return len(token_id_BS) if self.balance_scope == "sequence" else 1

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

    def choice_of(
        self, is_chosen_TE: Tensor, weight_TE: Tensor, balance_loss: Tensor | None = None
    ) -> Routing:
        """Routing of a router whose tokens differ in how many experts they reach."""
        token_M, expert_M = is_chosen_TE.nonzero(as_tuple=True)
        return Routing(
            token_N=token_M,
            expert_N=expert_M,
            weight_N=weight_TE[token_M, expert_M],
            num_tokens=len(is_chosen_TE),
            num_experts=self.num_experts,
            num_requested=len(token_M),
            balance_loss=weight_TE.new_zeros(()) if balance_loss is None else balance_loss,
        )


class RunningMean(nn.Module):
    """An exponential moving average whose first value is the first that it is given."""

    value: Tensor
    num_updates: Tensor

    def __init__(self, start: Tensor, decay: float):
        """Hold ``start``, float32, until there is a value; ``decay`` in [0, 1)."""
        super().__init__()
        if not 0 <= decay < 1:
            raise ValueError(f"decay={decay} must be in [0, 1); 0 keeps the latest value alone")
        self.decay = decay
        self.register_buffer("value", start)
        self.register_buffer("num_updates", torch.zeros((), dtype=torch.long))

    def update(self, value: Tensor) -> None:
        """Move towards ``value``."""
        step = torch.where(self.num_updates == 0, 1.0, 1 - self.decay)  # stays on the device
        self.value.lerp_(value.to(self.value.dtype), step.to(self.value.dtype))
        self.num_updates += 1


def expert_capacity(num_tokens: int, num_experts: int, top_k: int, factor: float) -> int:
    """Slots per expert: ceil(factor * T * K / E)."""
    return math.ceil(factor * num_tokens * top_k / num_experts)


def balance_loss(prob_TE: Tensor, is_asked_TE: Tensor, num_pools: int = 1) -> Tensor:
    """Switch's balance loss (arXiv:2101.03961, eq. 4): E * sum_e f_e P_e, 1 when balanced.

    f_e is the share of requested assignments, a count without gradient; P_e is the mean
    probability, through which the gate learns. Both are taken over a pool; there are ``num_pools``,
    each of T / ``num_pools`` tokens that follow each other, and the loss is their mean. One pool is
    all tokens of a step: gradients are not accumulated over several batches, and ranks bring their
    tokens together unless ``routing_scope`` lets each route its own.
    """
    T, E = prob_TE.shape
    asked_PE = is_asked_TE.view(num_pools, T // num_pools, E).sum(dim=1)
    share_PE = asked_PE / asked_PE.sum(dim=1, keepdim=True)
    prob_PE = prob_TE.view(num_pools, T // num_pools, E).mean(dim=1)
    return E * (share_PE.to(prob_TE.dtype) * prob_PE).sum(dim=1).mean()


def z_loss(logits_TG: Tensor) -> Tensor:
    """ST-MoE's router z-loss (arXiv:2202.08906, eq. 5): mean of logsumexp squared."""
    return logits_TG.logsumexp(dim=-1).square().mean()
