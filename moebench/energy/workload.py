"""The published task: ten classes from 784 normal features, with a rule that can be learnt.

Class c scores tanh(w_c x_c) + sigmoid(u_c x) / 2 + 0.2 noise, where x_c is the c-th group of
features and x all of them; the label is the class with the highest score. The rule's weights are
the published ones (drawn from seed 42); unlike there, the samples have a seed, too, and there are
held-out ones. Source: neuralwatt/moe_energy_evaluation at 97f72a5.

Shapes: N samples, D = 784 features, C = 10 classes, B rows of a batch.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from moebench.energy.sizes import NUM_CLASSES, NUM_FEATURES
from moebench.spec.energy import LearningSpec

_RULE_SEED = 42
_NOISE = 0.2
_GROUP = NUM_FEATURES // NUM_CLASSES
_LAST_GROUP = _GROUP + NUM_FEATURES % NUM_CLASSES  # the last class has what is left over

# Streams of random numbers under one seed.
_TRAIN, _HELDOUT, _BATCHES, _SHUFFLES = range(4)


@dataclass(frozen=True, kw_only=True)
class Samples:
    """Features and labels."""

    x_ND: Tensor
    y_N: Tensor

    def to(self, device: torch.device) -> "Samples":
        """The same samples on a device."""
        return Samples(x_ND=self.x_ND.to(device), y_N=self.y_N.to(device))

    def majority_share(self) -> float:
        """Share of the commonest class: what naming it every time gets right."""
        return float(self.y_N.bincount().max()) / len(self.y_N)


def train_and_heldout(learning: LearningSpec, seed: int) -> tuple[Samples, Samples]:
    """Samples to train on and to score on, from streams of their own."""
    return (
        _draw(learning.num_samples, _generator(seed, _TRAIN)),
        _draw(learning.num_heldout, _generator(seed, _HELDOUT)),
    )


def batches(num_batches: int, batch_size: int, seed: int) -> list[Tensor]:
    """Different batches (B, D) to run networks on, the same for every network."""
    generator = _generator(seed, _BATCHES)
    return [torch.randn(batch_size, NUM_FEATURES, generator=generator) for _ in range(num_batches)]


def shuffle(num_samples: int, seed: int, epoch: int) -> Tensor:
    """Order of the samples in an epoch, the same for every network."""
    return torch.randperm(num_samples, generator=_generator(seed, _SHUFFLES, epoch))


def scores(x_ND: Tensor) -> Tensor:
    """Scores (N, C) of the classes before noise."""
    rule = torch.Generator().manual_seed(_RULE_SEED)
    group_CG = torch.randn(NUM_CLASSES, _LAST_GROUP, generator=rule)
    whole_DC = torch.randn(NUM_FEATURES, NUM_CLASSES, generator=rule) * 0.1
    parts = torch.split(x_ND, [_GROUP] * (NUM_CLASSES - 1) + [_LAST_GROUP], dim=1)
    own_NC = torch.stack(
        [part @ w[: part.shape[1]] for part, w in zip(parts, group_CG, strict=True)], dim=1
    )
    return own_NC.tanh() + (x_ND @ whole_DC).sigmoid() / 2


def _draw(num_samples: int, generator: torch.Generator) -> Samples:
    x_ND = torch.randn(num_samples, NUM_FEATURES, generator=generator)
    score_NC = scores(x_ND)
    score_NC += _NOISE * torch.randn(score_NC.shape, generator=generator)
    return Samples(x_ND=x_ND, y_N=score_NC.argmax(dim=1))


def _generator(seed: int, *stream: int) -> torch.Generator:
    """Random numbers of one stream, independent of those of any other seed and stream."""
    state = np.random.SeedSequence([seed, *stream]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0]))
