"""What a trained model owes to the text it has not come to: with another end, and with none.

Shapes: B sequences of S tokens, W windows, C cuts.
"""

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from moebench.analysis.statistics import mean_interval
from moebench.lm.data import Batch, Tokens
from moebench.lm.model import LanguageModel
from moebench.setting import Setting

Values = dict[str, Any]

# Where windows are cut, as shares of their length.
CUTS = (0.25, 0.5, 0.75)


@torch.no_grad()
def probe(model: LanguageModel, tokens: Tokens, setting: Setting, num_windows: int) -> Values:
    """Loss of the last token before a cut: as scored, before another end, and at the end.

    ``suffix_benefit_nats`` is what the loss gains when the text goes on as it does and not as
    another window does; ``decode_gap_nats`` what it gains from there being later
    tokens at all, as there are when a whole text is scored and none when it is generated. Both
    are means over windows and cuts, positive where later tokens helped, with 95 % intervals over
    windows. Raises ValueError where the held-out text does not fill two batches.
    """
    model.eval()
    batches = _batches(model, tokens, num_windows)
    # Other windows of the same batch would lend it the end that it has anyway, in another order.
    ends = [batches[place - 1][0].roll(1, dims=0) for place in range(len(batches))]
    readings = [
        _at_cuts(model, batch, end_BS, setting) for batch, end_BS in zip(batches, ends, strict=True)
    ]
    parallel_W, swapped_W, streamed_W = (
        torch.cat(each).double() for each in zip(*readings, strict=True)
    )
    return {
        "num_windows": len(parallel_W),
        "parallel_nats": float(parallel_W.mean()),
        **_gain("suffix_benefit_nats", swapped_W - parallel_W),
        **_gain("decode_gap_nats", streamed_W - parallel_W),
    }


def _at_cuts(
    model: LanguageModel, batch: Batch, end_BS: Tensor, setting: Setting
) -> tuple[Tensor, ...]:
    """Losses of one batch, each the mean over cuts, shape (B,)."""
    input_BS, target_BS, end_BS = (ids.to(setting.device) for ids in (*batch, end_BS))
    S = input_BS.shape[1]
    found: list[tuple[Tensor, ...]] = []
    whole_BS = _loss(model, input_BS, target_BS, setting)
    for cut in (max(1, round(share * S)) for share in CUTS):
        swapped_BS = torch.cat([input_BS[:, :cut], end_BS[:, cut:]], dim=1)
        losses = (
            whole_BS,
            _loss(model, swapped_BS, target_BS, setting),
            _loss(model, input_BS[:, :cut], target_BS[:, :cut], setting),
        )
        found.append(tuple(loss_BS[:, cut - 1].cpu() for loss_BS in losses))
    return tuple(torch.stack(each).mean(dim=0) for each in zip(*found, strict=True))


def _loss(model: LanguageModel, input_BS: Tensor, target_BS: Tensor, setting: Setting) -> Tensor:
    with setting.autocast():
        logits_BSV = model(input_BS).logits_BSV
    return functional.cross_entropy(logits_BSV.transpose(1, 2).float(), target_BS, reduction="none")


def _batches(model: LanguageModel, tokens: Tokens, num_windows: int) -> list[Batch]:
    """Two whole batches or more, as many as hold ``num_windows``, or all there are."""
    B, S = model.spec.training.batch_size, model.spec.training.seq_len
    whole = [batch for batch in tokens.validation_batches(B, S) if batch[0].shape == (B, S)]
    if len(whole) < 2:
        raise ValueError(
            f"held-out text: {len(tokens.validation_N)} tokens do not fill two batches of {B} "
            f"windows of {S}; give more text, or lower training.batch_size"
        )
    return whole[: max(2, math.ceil(num_windows / B))]


def _gain(name: str, gain_W: Tensor) -> Values:
    interval = mean_interval(gain_W.numpy())
    return {
        name: float(gain_W.mean()),
        f"{name}_low": float(interval.low),
        f"{name}_high": float(interval.high),
    }
