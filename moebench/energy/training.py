"""How networks learn their task (Adam, float32), and how they score.

The loss is cross-entropy, as published, and for a mixture a balance loss besides, which was not.

Shapes: N samples, B of them in a batch, C classes, E experts.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from tqdm import tqdm

from moebench.energy.networks import Mixture
from moebench.energy.workload import Samples, shuffle
from moebench.spec.energy import LearningSpec

_SCORED_ROWS = 1024
_PROGRESS_S = 5

Clocked = Callable[[Callable[[], int]], Any]  # runs an epoch once and says what it took


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """One pass over the training samples, and the scores after it."""

    number: int
    train_nll_nats: float  # mean over the pass, while the weights moved
    train_accuracy: float  # likewise
    heldout_nll_nats: float
    heldout_accuracy: float
    heldout_load_E: list[int] | None  # samples of each expert; None in a dense network
    taken: Any  # what the clock and the meters said of the updates


class Trainer:
    """A network, its optimiser and its samples, all on one device."""

    def __init__(self, network: nn.Module, train: Samples, learning: LearningSpec, seed: int):
        self.network = network
        self.train = train
        self.learning = learning
        self.seed = seed
        self.optimiser = torch.optim.Adam(network.parameters(), lr=learning.learning_rate)

    def epochs(self, heldout: Samples, clocked: Clocked, name: str) -> Iterator[Epoch]:
        """Train epoch by epoch; only the updates are clocked."""
        numbers = range(1, self.learning.num_epochs + 1)
        for number in tqdm(
            numbers, desc=f"training {name}", unit="epoch", mininterval=_PROGRESS_S, ascii=True,
            ncols=90,
        ):  # fmt: skip
            totals: list[torch.Tensor] = []
            order_N = shuffle(len(self.train.y_N), self.seed, number)
            taken = clocked(partial(self._pass, order_N, totals))
            assert len(totals) == -(-len(order_N) // self.learning.batch_size), "more than one pass"
            nll, correct = torch.stack(totals).sum(dim=0).tolist()
            heldout_nll, heldout_accuracy = score(self.network, heldout)
            yield Epoch(
                number=number,
                train_nll_nats=nll / len(order_N),
                train_accuracy=correct / len(order_N),
                heldout_nll_nats=heldout_nll,
                heldout_accuracy=heldout_accuracy,
                heldout_load_E=load(self.network, heldout),
                taken=taken,
            )

    def _pass(self, order_N: torch.Tensor, totals: list[torch.Tensor]) -> int:
        """One update for each batch; sums of losses and of right answers stay on the device."""
        self.network.train()
        order_N = order_N.to(self.train.x_ND.device)
        for index in torch.split(order_N, self.learning.batch_size):
            y_B = self.train.y_N[index]
            score_BC, balance = self._forward(self.train.x_ND[index])
            loss = functional.cross_entropy(score_BC, y_B)
            self.optimiser.zero_grad(set_to_none=True)
            torch.autograd.backward(loss + self.learning.balance_coef * balance)
            self.optimiser.step()
            right = (score_BC.argmax(dim=1) == y_B).sum()
            totals.append(torch.stack([loss.detach().double() * len(index), right.double()]))
        return len(order_N)

    def _forward(self, x_BD: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Class scores of a batch, and how uneven its load is; 0 in a dense network."""
        if isinstance(self.network, Mixture):
            return self.network.with_balance_loss(x_BD)
        return self.network(x_BD), x_BD.new_zeros(())


def load(network: nn.Module, samples: Samples) -> list[int] | None:
    """Samples that each expert of a mixture is chosen for; None for a dense network."""
    if not isinstance(network, Mixture):
        return None
    dtype = next(network.parameters()).dtype
    with torch.inference_mode():
        return network.load_E(samples.x_ND.to(dtype)).tolist()


def score(network: nn.Module, samples: Samples) -> tuple[float, float]:
    """Mean negative log-likelihood in nats, and share of right answers, in the network's type."""
    network.eval()
    dtype = next(network.parameters()).dtype
    nll, right = [], []
    with torch.inference_mode():
        parts = zip(
            torch.split(samples.x_ND, _SCORED_ROWS),
            torch.split(samples.y_N, _SCORED_ROWS),
            strict=True,
        )
        for x_ND, y_N in parts:
            score_NC = network(x_ND.to(dtype)).double()
            nll.append(functional.cross_entropy(score_NC, y_N, reduction="sum"))
            right.append((score_NC.argmax(dim=1) == y_N).sum())
    num_samples = len(samples.y_N)
    return float(torch.stack(nll).sum()) / num_samples, int(torch.stack(right).sum()) / num_samples
