"""Entropy floor: tokens drawn uniformly cannot be predicted, so a lower loss is stolen future.

Whatever a causal model does, its expected loss on independent uniform tokens is at least ln V nats.
What a trained model falls below that, it was told by the tokens that it was to predict, through the
routing of those before them.
"""

import math
from dataclasses import dataclass

import torch
from torch.nn import functional
from tqdm import tqdm

from moebench.analysis.statistics import mean_interval
from moebench.lm.data import Batch, Tokens
from moebench.lm.model import LanguageModel
from moebench.lm.trainer import Trainer
from moebench.setting import prepare
from moebench.spec import RunSpec

_PROGRESS_S = 5


class UniformTokens(Tokens):
    """Independent tokens of equal probability, drawn anew for every step."""

    def training_batch(self, seed: int, step: int, batch_size: int, seq_len: int) -> Batch:
        """The batch of a step, which depends on seed and step alone."""
        generator = torch.Generator().manual_seed(seed * 1_000_003 + step)
        ids_BS = torch.randint(self.vocab_size, (batch_size, seq_len + 1), generator=generator)
        return ids_BS[:, :-1], ids_BS[:, 1:]


@dataclass(frozen=True, kw_only=True)
class Floor:
    """A loss below the floor, with its 95 % interval over batches of fresh tokens."""

    floor_nats: float  # ln V
    heldout_nats: float
    leak_nats: float
    leak_nats_low: float
    leak_nats_high: float


def uniform(vocab_size: int) -> UniformTokens:
    """A source of uniform tokens; nothing is held in store."""
    none = torch.zeros(0, dtype=torch.long)
    return UniformTokens(
        train_N=none,
        validation_N=none,
        vocab_size=vocab_size,
        token_count_V=torch.ones(vocab_size, dtype=torch.long),
        end_of_document=0,
        num_validation_bytes=0,
        bigram_val_nll_nats=math.log(vocab_size),
        corpus_sha256="",
        tokenizer_sha256="",
    )


def train(spec: RunSpec, tokens: UniformTokens) -> LanguageModel:
    """A model trained on uniform tokens, for as long as its spec says."""
    training = spec.training
    trainer = Trainer(spec, tokens, prepare(training.device, training.dtype, training.threads))
    for step in tqdm(
        range(1, training.num_steps + 1),
        desc=f"floor {spec.router} {spec.model.drop_policy} {spec.model.pool}",
        unit="step",
        mininterval=_PROGRESS_S,
        ascii=True,
        ncols=90,
    ):
        trainer.begin(step)
        batch = tokens.training_batch(spec.seed, step, training.batch_size, training.seq_len)
        trainer.backward(trainer.forward(batch))
        trainer.update()
    return trainer.model


@torch.no_grad()
def leak(model: LanguageModel, tokens: UniformTokens, num_batches: int) -> Floor:
    """How far the loss on fresh tokens, of which none were trained on, is below ln V."""
    model.eval()
    training = model.spec.training
    losses = []
    for batch in range(1, num_batches + 1):
        input_BS, target_BS = tokens.training_batch(
            model.spec.seed, training.num_steps + batch, training.batch_size, training.seq_len
        )
        logits_BSV = model(input_BS).logits_BSV
        losses.append(functional.cross_entropy(logits_BSV.flatten(0, 1), target_BS.flatten()))
    return below(math.log(tokens.vocab_size), torch.stack(losses))


def below(floor_nats: float, loss_M: torch.Tensor) -> Floor:
    """The distance of the mean of M losses from the floor; t interval."""
    leak_M = (floor_nats - loss_M.double()).numpy()
    interval = mean_interval(leak_M)
    return Floor(
        floor_nats=floor_nats,
        heldout_nats=float(loss_M.double().mean()),
        leak_nats=float(leak_M.mean()),
        leak_nats_low=float(interval.low),
        leak_nats_high=float(interval.high),
    )
