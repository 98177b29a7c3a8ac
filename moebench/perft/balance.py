"""The balance loss of an adapter's own router, over tokens that are no padding."""

import torch
from torch import Tensor


def balance_loss(prob_TN: Tensor, adapter_TK: Tensor, is_token_T: Tensor | None) -> Tensor:
    """N * sum_j f_j P_j, 1 when balanced (arXiv:2101.03961, eq. 4).

    f_j is the share of choices that fell on adapter j, without gradient; P_j is its mean
    probability, through which the router learns. Nothing is copied to the host.
    """
    counts_T = prob_TN.new_ones(len(prob_TN)) if is_token_T is None else is_token_T.to(prob_TN)
    chosen_TN = torch.zeros_like(prob_TN).scatter(1, adapter_TK, 1.0)
    share_N = counts_T @ chosen_TN / (counts_T.sum() * adapter_TK.shape[1])
    mean_prob_N = counts_T @ prob_TN / counts_T.sum()
    return prob_TN.shape[1] * (share_N * mean_prob_N).sum()
