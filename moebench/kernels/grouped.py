"""Ours: rows sorted by expert once, each expert run on its slice, answers mixed in one product."""

import torch
from torch import Tensor
from torch.nn import functional

from moebench.kernels.base import Experts, Kernel, Layers, answer


class Grouped(Kernel):
    """One gather, E slices, one mixing; on a GPU in bfloat16 one product per layer for all."""

    def __call__(
        self, x_BD: Tensor, expert_BK: Tensor, weight_BK: Tensor, experts: Experts
    ) -> Tensor:
        """Mix the experts of each row."""
        B, K = expert_BK.shape
        expert_N = expert_BK.flatten()
        order_N = expert_N.argsort(stable=True)
        x_ND = x_BD.index_select(0, order_N.div(K, rounding_mode="floor"))
        if x_BD.is_cuda and x_BD.dtype == torch.bfloat16:
            y_NC = grouped_answers(x_ND, expert_N.index_select(0, order_N), experts)
        else:
            y_NC = _sliced_answers(x_ND, expert_N, experts)
        y_BKC = torch.empty_like(y_NC).index_copy(0, order_N, y_NC).view(B, K, -1)
        return torch.bmm(weight_BK.unsqueeze(1), y_BKC).squeeze(1)


def grouped_answers(x_ND: Tensor, expert_N: Tensor, experts: Experts) -> Tensor:
    """Answers to rows in the order of experts, without asking the host how many rows each has."""
    load_E = torch.zeros(experts.num_experts, dtype=torch.int32, device=x_ND.device)
    load_E.index_add_(0, expert_N, torch.ones_like(expert_N, dtype=torch.int32))
    end_E = load_E.cumsum(0, dtype=torch.int32)
    last = len(experts.weight) - 1
    for place, (weight_EOI, bias_EO) in enumerate(zip(experts.weight, experts.bias, strict=True)):
        product_NO = functional.grouped_mm(x_ND, weight_EOI.transpose(1, 2), offs=end_E)
        x_ND = product_NO + bias_EO.index_select(0, expert_N)
        if place < last:
            x_ND = functional.relu(x_ND)
    return x_ND


def _sliced_answers(x_ND: Tensor, expert_N: Tensor, experts: Experts) -> Tensor:
    """Answers to rows in the order of experts, one slice at a time."""
    num_rows = torch.bincount(expert_N, minlength=experts.num_experts).tolist()
    run = answer if torch.is_grad_enabled() else _answer_in_place
    slices = zip(x_ND.split_with_sizes(num_rows), experts.by_expert(), strict=True)
    return torch.cat([run(x, layers) for x, layers in slices if len(x)])


def _answer_in_place(x_ND: Tensor, layers: Layers) -> Tensor:
    """Answer of one perceptron to its rows, nothing kept for a backward pass."""
    *hidden, (weight_CF, bias_C) = layers
    for weight_OI, bias_O in hidden:
        x_ND = torch.addmm(bias_O, x_ND, weight_OI.T).relu_()
    return torch.addmm(bias_C, x_ND, weight_CF.T)
