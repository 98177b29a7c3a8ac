"""Router saturation: how early in training the experts of a token are settled.

The definition is that of OLMoE (arXiv:2409.02060): the share of a token's final experts that it
asked for at an earlier step already. Shapes: L layers, T tokens of the sample, E experts.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from moebench.lm.data import Tokens
from moebench.lm.model import LanguageModel
from moebench.routers.base import Routing
from moebench.setting import Setting


@torch.no_grad()
def sample_routing(model: LanguageModel, tokens: Tokens, setting: Setting) -> Tensor:
    """Who asks for whom in the first held-out batch, before capacity: bool, shape (L, T, E).

    The batch is as large as one of training and always the same.
    """
    model.eval()
    training = model.spec.training
    input_BS, _ = next(tokens.validation_batches(training.batch_size, training.seq_len))
    with setting.autocast():
        layers = model(input_BS.to(setting.device)).layers
    return torch.stack([_asked_TE(layer.requested) for layer in layers]).cpu()


def saturations(asked: Mapping[int, Tensor]) -> list[dict[str, Any]]:
    """Saturation at each step of ``asked`` against the last, the mean over layers.

    ``saturation_chance`` is what it would be, had the experts asked for as often as they were at
    that step and at the end been dealt out to tokens at random.
    """
    if not asked:
        return []
    final_LTE = asked[max(asked)].double()
    num_final_L = final_LTE.sum(dim=(1, 2))
    found = []
    for step, then in asked.items():
        same_L = (then.double() * final_LTE).sum(dim=(1, 2))
        by_load_L = (then.double().mean(dim=1) * final_LTE.sum(dim=1)).sum(dim=1)
        found.append(
            {
                "step": step,
                "saturation": (same_L / num_final_L).mean().item(),
                "saturation_chance": (by_load_L / num_final_L).mean().item(),
            }
        )
    return found


def _asked_TE(routing: Routing | None) -> Tensor:
    assert routing is not None
    asked_TE = torch.zeros(
        routing.num_tokens, routing.num_experts, dtype=torch.bool, device=routing.token_N.device
    )
    asked_TE[routing.token_N, routing.expert_N] = True
    return asked_TE
