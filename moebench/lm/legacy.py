"""The published metrics and protocols, mistakes and all, and nothing that is ours.

They repeat on purpose what was published, so that the waterfall can say what each mistake moves. No
other part of the project may use them.

Shapes: N held-out tokens, B windows of S tokens, E experts of width F, D width of the model.
"""

import math
from collections.abc import Iterator

import torch

from moebench.lm.data import Batch, Tokens
from moebench.lm.model import LanguageModel

CAP_NATS = 20.0


def overlapping_windows(
    tokens: Tokens, num_tokens: int, batch_size: int, seq_len: int
) -> Iterator[Batch]:
    """Windows at every offset of the first ``num_tokens`` held-out tokens, in order.

    A token is scored up to S times, with contexts of 1 to S tokens, and the windows of a batch are
    nearly the same text: what capacity drops and what experts choose there is unlike training.
    """
    input_N = torch.cat([torch.tensor([tokens.end_of_document]), tokens.validation_N])
    start_W = torch.arange(num_tokens - seq_len + 1)
    for start_B in torch.split(start_W, batch_size):
        window_BS = input_N[start_B[:, None] + torch.arange(seq_len + 1)]
        yield window_BS[:, :-1], window_BS[:, 1:]


def capped_perplexity(nll_nats: float) -> float:
    """Exponential of the loss, or of 20 where that is less: divergence looks like a number."""
    return math.exp(min(CAP_NATS, nll_nats))


def tokens_per_s(tokens_per_step: int, interval: int, elapsed_s: float) -> float:
    """The published rate: the interval between two scorings is multiplied in twice.

    ``elapsed_s`` is the time of ``interval`` steps and of the scoring after them.
    """
    step_s = elapsed_s / interval
    return tokens_per_step * interval / step_s


@torch.no_grad()
def shrink_experts(model: LanguageModel) -> None:
    """Give the experts the spread that Xavier's rule has for one stacked tensor of all of them.

    For a tensor (E, D, F) the rule takes E for a number of inputs and F for the size of a kernel,
    which makes weights too small by more than tenfold, and smaller with every expert. Values stay
    those that were drawn, scaled.
    """
    for layer in model.moe_layers():
        E = len(layer.experts.w_in)
        F, D = layer.experts.w_in[0].shape
        for matrices, fan_in, kernel in ((layer.experts.w_in, D, F), (layer.experts.w_out, F, D)):
            std = math.sqrt(2 / ((fan_in + E) * kernel))
            for weight in matrices:
                weight.mul_(std / weight.std())
