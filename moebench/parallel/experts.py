"""Routing, and a rank's share of the experts.

Shapes: B rows of the batch, F features, E experts of the network, L experts of this share, K
choices of a row, H hidden units of an expert in this share, J = L * H, O outputs, N assignments.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from moebench.parallel.footprint import is_fused
from moebench.parallel.network import Network
from moebench.parallel.trace import Trace
from moebench.parallel.weights import Weights


class Routing(NamedTuple):
    """Where every row goes: expert and weight of each of its K choices."""

    expert_BK: Tensor
    weight_BK: Tensor

    def dense(self, num_experts: int, own: range) -> Tensor:
        """Weight of each of the experts ``own`` for every row, 0 where not chosen, shape (B, L)."""
        weight_BE = self.weight_BK.new_zeros(len(self.weight_BK), num_experts)
        weight_BE.scatter_(1, self.expert_BK, self.weight_BK)
        return weight_BE if len(own) == num_experts else weight_BE[:, own.start : own.stop]


def route(x_BF: Tensor, gate_EF: Tensor, gate_bias_E: Tensor, top_k: int) -> Routing:
    """Choose the K most probable experts; their softmax probabilities, renormalised to sum 1.

    That is the softmax over the K largest logits alone: the other terms cancel.
    """
    logits_BE = functional.linear(x_BF, gate_EF, gate_bias_E)
    logit_BK, expert_BK = logits_BE.topk(top_k, dim=1)
    return Routing(expert_BK, logit_BK.softmax(dim=1))


@dataclass(frozen=True, kw_only=True)
class ExpertShare:
    """Some experts, or the same part of the hidden units of some experts; parameters are leaves.

    Where several ranks share an expert's hidden units, one of them adds its output bias, and the
    others hold None.
    """

    network: Network
    experts: range
    hidden: range
    w_in_JF: Tensor
    b_in_J: Tensor
    w_out_JO: Tensor
    b_out_LO: Tensor | None

    @classmethod
    def of(
        cls, weights: Weights, experts: range, hidden: range, adds_bias: bool = True
    ) -> "ExpertShare":
        """Draw the share from the weights, expert by expert."""
        network = weights.network
        J, units = len(experts) * len(hidden), slice(hidden.start, hidden.stop)
        room = torch.empty(0, dtype=weights.dtype, device=weights.device)
        w_in_JF, b_in_J = room.new_empty(J, network.feature_dim), room.new_empty(J)
        w_out_JO = room.new_empty(J, network.output_dim)
        b_out_LO = room.new_empty(len(experts), network.output_dim)
        for place, expert in enumerate(experts):
            w_in_HF, b_in_H, w_out_HO, b_out_O = weights.expert(expert)
            rows = slice(place * len(hidden), (place + 1) * len(hidden))
            w_in_JF[rows], b_in_J[rows] = w_in_HF[units], b_in_H[units]
            w_out_JO[rows], b_out_LO[place] = w_out_HO[units], b_out_O
        return cls(
            network=network,
            experts=experts,
            hidden=hidden,
            w_in_JF=w_in_JF.requires_grad_(),
            b_in_J=b_in_J.requires_grad_(),
            w_out_JO=w_out_JO.requires_grad_(),
            b_out_LO=b_out_LO.requires_grad_() if adds_bias else None,
        )

    def parameters(self) -> list[Tensor]:
        """Every leaf of this share."""
        own = [self.w_in_JF, self.b_in_J, self.w_out_JO]
        return own if self.b_out_LO is None else [*own, self.b_out_LO]

    def mix(self, x_BF: Tensor, routing: Routing, trace: Trace) -> Tensor:
        """Weighted sum of this share's answers to every row, shape (B, O)."""
        if is_fused(self.network, len(self.experts), len(self.hidden), len(x_BF)):
            return self._mix_fused(x_BF, routing, trace)
        return self._mix_sorted(x_BF, routing, trace)

    def answer(self, x_NF: Tensor, num_rows: list[int]) -> Tensor:
        """Answers, without weights, to rows that lie in the order of experts, shape (N, O)."""
        if self.w_in_JF.numel() == 0:  # an idle rank; its products keep it in the backward pass
            return x_NF @ self.w_in_JF.T @ self.w_out_JO
        L, H = len(self.experts), len(self.hidden)
        per_expert = zip(
            x_NF.split_with_sizes(num_rows),
            self.w_in_JF.split_with_sizes([H] * L),
            self.b_in_J.split_with_sizes([H] * L),
            self.w_out_JO.split_with_sizes([H] * L),
            [None] * L if self.b_out_LO is None else self.b_out_LO.unbind(),
            strict=True,
        )
        answers = [_answer(*each) for each in per_expert]
        return answers[0] if L == 1 else torch.cat(answers)

    def place_gradients(self, full: dict[str, Tensor]) -> None:
        """Write this share's gradients where they belong among those of all experts."""
        experts = slice(self.experts.start, self.experts.stop)
        hidden = slice(self.hidden.start, self.hidden.stop)
        for name, own in (("w_in", self.w_in_JF), ("b_in", self.b_in_J), ("w_out", self.w_out_JO)):
            place = full[name][experts, hidden]
            place.copy_(gradient(own).view(place.shape))
        if self.b_out_LO is not None:
            full["b_out"][experts] = gradient(self.b_out_LO)

    def _mix_fused(self, x_BF: Tensor, routing: Routing, trace: Trace) -> Tensor:
        """Every expert for every row, the weights set to zero where a row did not choose it."""
        B, L, H = len(x_BF), len(self.experts), len(self.hidden)
        weight_BL = routing.dense(self.network.num_experts, self.experts)
        trace.mark("dispatch")
        if L == 1:
            b_out_O = None if self.b_out_LO is None else self.b_out_LO[0]
            y_BO = weight_BL * _answer(x_BF, self.w_in_JF, self.b_in_J, self.w_out_JO, b_out_O)
            trace.mark("experts")
            return y_BO
        h_BJ = functional.linear(x_BF, self.w_in_JF, self.b_in_J).relu_()
        h_BJ = (h_BJ.view(B, L, H) * weight_BL.unsqueeze(2)).view(B, L * H)
        if self.b_out_LO is None:
            y_BO = h_BJ @ self.w_out_JO
        else:
            y_BO = torch.addmm(weight_BL @ self.b_out_LO, h_BJ, self.w_out_JO)
        trace.mark("experts")
        return y_BO

    def _mix_sorted(self, x_BF: Tensor, routing: Routing, trace: Trace) -> Tensor:
        """Each expert once, for the rows that chose it."""
        order_N, load = assignments(routing.expert_BK, self.network.num_experts)
        num_rows = load[self.experts.start : self.experts.stop]
        first = sum(load[: self.experts.start])
        order_N = order_N[first : first + sum(num_rows)]
        row_N = order_N // routing.expert_BK.shape[1]
        x_NF = x_BF.index_select(0, row_N)
        weight_N = routing.weight_BK.flatten().index_select(0, order_N)
        trace.mark("dispatch")
        y_NO = self.answer(x_NF, num_rows)
        trace.mark("experts")
        y_BO = y_NO.new_zeros(len(x_BF), y_NO.shape[1])
        y_BO.index_add_(0, row_N, y_NO * weight_N.unsqueeze(1))
        trace.mark("dispatch")
        return y_BO


def assignments(expert_BK: Tensor, num_experts: int) -> tuple[Tensor, list[int]]:
    """Assignments, numbered row by row, in the order of experts; and how many each expert has."""
    expert_N = expert_BK.flatten()
    load: list[int] = torch.bincount(expert_N, minlength=num_experts).tolist()
    return expert_N.argsort(stable=True), load


def gradient(parameter: Tensor) -> Tensor:
    """Gradient of a leaf; zero where no row has reached it."""
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad


def _answer(
    x_NF: Tensor, w_in_HF: Tensor, b_in_H: Tensor, w_out_HO: Tensor, b_out_O: Tensor | None
) -> Tensor:
    h_NH = functional.linear(x_NF, w_in_HF, b_in_H).relu_()
    return h_NH @ w_out_HO if b_out_O is None else torch.addmm(b_out_O, h_NH, w_out_HO)
