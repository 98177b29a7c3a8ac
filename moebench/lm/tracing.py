"""Rule ``trace_routing``: what routers do with held-out text, before and after training.

Shapes as in ``moebench.traces``; B windows of a batch, of S tokens each.
"""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from moebench.lm import weights
from moebench.lm.data import Tokens
from moebench.lm.model import LanguageModel
from moebench.moe import LayerOutput, MoELayer
from moebench.setting import Setting, prepare
from moebench.spec import RunSpec
from moebench.traces import STATES, State, Trace, Traces


def trace_runs(
    specs: Sequence[RunSpec], files: Sequence[Path], tokens: Tokens, num_tokens: int
) -> Traces:
    """Trace every run twice: with the weights of its file, and with those it began with.

    The batches are those of the held-out score, whole ones only, because routers that choose among
    the tokens of a batch must see as many as in training. Raises ValueError where the text does not
    fill one, and for weights of another run.
    """
    input_NBS = batches(specs[0], tokens, num_tokens)
    found: list[Trace] = []
    runs = tqdm(
        list(zip(specs, files, strict=True)),
        desc="tracing",
        unit="run",
        mininterval=5,
        ascii=True,
        ncols=90,
    )
    for spec, file in runs:
        assert spec.training.seq_len == specs[0].training.seq_len, "one text for all"
        assert spec.training.batch_size == specs[0].training.batch_size, "one pool for all"
        training = spec.training
        setting = prepare(training.device, training.dtype, training.threads)
        model = LanguageModel(spec, tokens.vocab_size, tokens.token_count_V).to(setting.device)
        for state in STATES:
            if state == "trained":
                weights.read(model, file)
            found += trace_model(model, state, input_NBS, setting)
    return Traces(
        experiment=specs[0].experiment,
        token_id_WS=np.concatenate([ids.numpy() for ids in input_NBS]).astype(np.uint32),
        traces=found,
    )


def batches(spec: RunSpec, tokens: Tokens, num_tokens: int) -> list[Tensor]:
    """Whole batches of held-out windows, as many as hold ``num_tokens``, or all there are."""
    B, S = spec.training.batch_size, spec.training.seq_len
    whole = [ids for ids, _ in tokens.validation_batches(B, S) if ids.shape == (B, S)]
    if not whole:
        raise ValueError(
            f"held-out text: {len(tokens.validation_N)} tokens do not fill one batch of {B} "
            f"windows of {S}; give more text, or lower training.batch_size"
        )
    return list(itertools.islice(whole, -(-num_tokens // (B * S))))


@torch.no_grad()
def trace_model(
    model: LanguageModel, state: State, input_NBS: Sequence[Tensor], setting: Setting
) -> list[Trace]:
    """Trace a model as it is: one trace for each layer."""
    model.eval()
    outputs = []
    for input_BS in input_NBS:
        with setting.autocast():
            outputs.append(model(input_BS.to(setting.device)).layers)
    layers = enumerate(zip(model.moe_layers(), zip(*outputs, strict=True), strict=True))
    return [_trace(model.spec, state, index, layer, outs) for index, (layer, outs) in layers]


def _trace(
    spec: RunSpec, state: State, index: int, layer: MoELayer, outs: Sequence[LayerOutput]
) -> Trace:
    parts = list(_assignments(outs))
    token_M, expert_M, weight_M, is_kept_M = (
        np.concatenate(each) for each in zip(*parts, strict=True)
    )
    return Trace(
        router=spec.router,
        seed=spec.seed,
        state=state,
        layer=index,
        num_experts=layer.router.num_experts,
        top_k=layer.router.top_k,
        capacity_factor=spec.model.capacity_factor,
        drop_policy=spec.model.drop_policy,
        pool=spec.training.batch_size,
        num_tied=num_tied(outs, layer.router.top_k) if layer.router.learned else None,
        token_M=token_M.astype(np.uint32),
        expert_M=expert_M.astype(np.uint16),
        weight_M=weight_M.astype(np.float32),
        is_kept_M=is_kept_M,
    )


def _assignments(outs: Sequence[LayerOutput]) -> Iterator[tuple[NDArray[np.generic], ...]]:
    """Token, expert, weight and fate of every request, batch by batch."""
    first = 0
    for out in outs:
        assert out.requested is not None
        assert out.kept is not None
        asked, kept = out.requested, out.kept
        key_M = asked.token_N * asked.num_experts + asked.expert_N
        key_N = kept.token_N * kept.num_experts + kept.expert_N
        columns = (first + asked.token_N, asked.expert_N, asked.weight_N, torch.isin(key_M, key_N))
        yield tuple(column.cpu().numpy() for column in columns)
        first += asked.num_tokens


def num_tied(outs: Sequence[LayerOutput], top_k: int) -> int:
    """Tokens for which the last chosen and the first refused expert have equal scores."""
    tied = 0
    for out in outs:
        assert out.logits_TE is not None
        score_TE = out.logits_TE.sort(dim=-1, descending=True).values
        if score_TE.shape[1] > top_k:
            tied += int((score_TE[:, top_k - 1] == score_TE[:, top_k]).sum())
    return tied
