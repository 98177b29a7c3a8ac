"""Data-parallel training: ranks that hold the same model, each with its windows of every step.

A rank's windows are a slice of the step's batch, so that the tokens of all ranks, in the order of
ranks, are the batch that one process would have. The step is the same to rounding: gradients are
means over ranks, and what looks at more than one token sees those of all ranks. For that the logits
of a layer, which are few numbers, are brought together on every rank; each routes them all and
keeps what is its own. So it holds for every router, capacity and balance loss there is, and for
those to come.

Gradients are summed up in one message after the backward pass and not, as torch's own
DistributedDataParallel does, in buckets during it: exchanges of logits in the midst of the backward
pass would have to keep their order among those buckets, and the one message leaves parameters alone
that no loss reaches.

Shapes: W ranks; B windows of S tokens in a step, of which a rank has B / W; T tokens of a rank.
"""

import io
from collections.abc import Iterable
from dataclasses import replace
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from moebench.lm.data import Batch
from moebench.lm.model import LanguageModel
from moebench.parallel.communicators.base import Communicator
from moebench.parallel.differentiable import all_rows
from moebench.pools import Choice, Slots
from moebench.routers.base import Router, Routing
from moebench.setting import Setting

Thing = TypeVar("Thing")

_RANK_STRIDE = 1 << 40  # between the seeds of ranks that draw for themselves


class Replicas:
    """The ranks that train one model together. Alone, nothing is sent and nothing is computed."""

    def __init__(self, communicator: Communicator, scope: str):
        self.communicator = communicator
        self.rank = communicator.rank
        self.world_size = communicator.world_size
        self.is_alone = self.world_size == 1
        self.sees_all = scope == "global"

    def attach(self, model: LanguageModel) -> None:
        """Let routers and dropout of a model see the batch of all ranks, where they are to."""
        if self.is_alone or not self.sees_all:
            return
        for layer in model.moe_layers():
            layer.spread = self
        for block in model.blocks:
            assert isinstance(block.dropout, nn.Dropout)
            block.dropout = BatchDropout(block.dropout.p, self.rank, self.world_size)

    def own(self, batch: Batch) -> Batch:
        """This rank's windows of a step's batch."""
        if self.is_alone:
            return batch
        input_BS, target_BS = (ids.chunk(self.world_size)[self.rank] for ids in batch)
        return input_BS, target_BS

    def seed(self, of_step: int) -> int:
        """What to draw from in a step: of all ranks alike, or of each alone."""
        return of_step if self.sees_all else of_step + self.rank * _RANK_STRIDE

    def choose(
        self, slots: Slots, router: Router, logits_TG: Tensor, token_id_BS: Tensor
    ) -> Choice:
        """Route the tokens of all ranks, and keep what is this rank's; see ``moe.Spread``.

        Every rank goes on to use its own assignments and the balance loss of all tokens. So the
        gradient of its logits is a sum over ranks, and the mean of all ranks' gradients that of
        the mean of their losses.
        """
        W, T = self.world_size, len(logits_TG)
        every_logits_TG = all_rows(self.communicator, logits_TG, [T] * W, is_partial=True)
        every_id_BS = self.communicator.all_gather(token_id_BS.contiguous(), [len(token_id_BS)] * W)
        choice = slots.choose(router, every_logits_TG, every_id_BS)
        own = range(self.rank * T, (self.rank + 1) * T)
        requested = part_of(choice.requested, own)
        kept = replace(part_of(choice.kept, own), num_requested=requested.num_requested)
        return Choice(requested=requested, slotted=kept)

    def average_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Make every gradient the mean over ranks; one that no rank has stays absent."""
        if self.is_alone:
            return
        own = list(parameters)
        grads = [torch.zeros_like(each) if each.grad is None else each.grad for each in own]
        is_there = own[0].new_tensor([each.grad is not None for each in own])
        *summed, num_there = self.communicator.all_reduce_packed([*grads, is_there])
        for each, total, num in zip(own, summed, num_there.tolist(), strict=True):
            each.grad = total.div_(self.world_size) if num else None

    def adapt(self, router: Router) -> None:
        """Let a router learn from the tokens of all ranks, which it has or has not seen itself."""
        router.adapt(None if self.is_alone or self.sees_all else self.sum)

    def sum(self, x: Tensor) -> Tensor:
        """Sum over ranks of a tensor, which is left as it is."""
        return self.communicator.all_reduce(x.detach().to(self.communicator.device, copy=True))

    def mean(self, x: Tensor) -> Tensor:
        """Mean over ranks of a tensor, which is left as it is."""
        return x if self.is_alone else self.sum(x) / self.world_size

    def any(self, is_so: bool) -> bool:
        """Whether it is so on any rank."""
        return is_so if self.is_alone else bool(self.sum(torch.tensor([float(is_so)])).item())

    def slowest(self, times_s: dict[str, float], by: str) -> dict[str, float]:
        """The times of the rank that took longest, by one of them."""
        if self.is_alone:
            return times_s
        own = torch.tensor(
            [list(times_s.values())], dtype=torch.float64, device=self.communicator.device
        )
        every = self.communicator.all_gather(own, [1] * self.world_size).tolist()
        return max((dict(zip(times_s, each, strict=True)) for each in every), key=lambda t: t[by])

    def largest(self, value: int) -> int:
        """The largest of the ranks' values."""
        own = torch.tensor([value], device=self.communicator.device)
        return int(self.communicator.all_gather(own, [1] * self.world_size).max())

    def told(self, thing: Thing) -> Thing:
        """What the first rank has, whose disk the others need not share: anything torch can save.

        Of what it is, the others know nothing and give None.
        """
        if self.is_alone:
            return thing
        device, broadcast = self.communicator.device, self.communicator.broadcast
        file = io.BytesIO()
        if self.rank == 0:
            torch.save(thing, file)
        size = int(broadcast(torch.tensor([len(file.getbuffer())], device=device)).item())
        if self.rank == 0:
            broadcast(torch.frombuffer(file.getbuffer(), dtype=torch.uint8).to(device))
            return thing
        content = broadcast(torch.empty(size, dtype=torch.uint8, device=device)).cpu()
        told: Thing = torch.load(
            io.BytesIO(content.numpy().tobytes()), map_location=device, weights_only=True
        )
        return told


def agreed(setting: Setting, communicator: Communicator) -> Setting:
    """A setting with the number type of the first rank, for ``auto`` is what each finds fastest."""
    if communicator.world_size == 1:
        return setting
    choices = (torch.float32, torch.bfloat16)
    own = torch.tensor([choices.index(setting.dtype)], device=communicator.device)
    return replace(setting, dtype=choices[int(communicator.broadcast(own).item())])


def part_of(routing: Routing, tokens: range) -> Routing:
    """Assignments of some tokens, which are numbered from 0; the balance loss is that of all."""
    is_of_them_N = (routing.token_N >= tokens.start) & (routing.token_N < tokens.stop)
    place_N = is_of_them_N.nonzero().squeeze(1)
    return replace(
        routing,
        token_N=routing.token_N[place_N] - tokens.start,
        expert_N=routing.expert_N[place_N],
        weight_N=routing.weight_N[place_N],
        num_tokens=len(tokens),
        num_requested=len(place_N),
    )


class BatchDropout(nn.Module):
    """Dropout that draws for the batch of all ranks, as one process would, and uses its part."""

    def __init__(self, p: float, rank: int, world_size: int):
        super().__init__()
        self.p = p
        self.rank = rank
        self.world_size = world_size

    def forward(self, x_BSD: Tensor) -> Tensor:
        """Drop a share of the numbers in training, and scale the others up."""
        if not self.training or self.p == 0:
            return x_BSD
        B, S, D = x_BSD.shape
        every_BSD = functional.dropout(x_BSD.new_ones(self.world_size * B, S, D), self.p)
        return x_BSD * every_BSD.chunk(self.world_size)[self.rank]
