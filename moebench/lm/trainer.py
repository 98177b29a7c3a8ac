"""One model in training: its forward pass, backward pass and optimiser step, apart.

Training and timing use the same three methods, so that what is timed is what is trained. With
several ranks, every one of them calls them all, with the same batches.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from moebench import machine
from moebench.adamw import AdamW
from moebench.lm.data import Batch, Tokens
from moebench.lm.model import LanguageModel, single_or_wider
from moebench.lm.replicas import Replicas
from moebench.lm.shards import Shards
from moebench.parallel.communicators.base import Alone, Communicator
from moebench.setting import Setting
from moebench.spec import RunSpec, TrainingSpec

_BETAS = (0.9, 0.95)
_NUM_VARIANTS = 1024  # of one function, for models, modes and shapes: more than there are


@dataclass(frozen=True, kw_only=True)
class Loss:
    """The loss of one batch; nothing here has been copied to the host."""

    total: Tensor  # what the backward pass starts from; its mean over ranks is the batch's
    task: Tensor  # mean negative log-likelihood in nats per token, of the whole batch


class Trainer:
    """A model, its optimiser and its learning-rate schedule; each rank has one of its own."""

    def __init__(
        self,
        spec: RunSpec,
        tokens: Tokens,
        setting: Setting,
        communicator: Communicator | None = None,
    ):
        communicator = communicator or Alone()
        assert communicator.world_size == spec.training.ranks, (
            f"{communicator.world_size} ranks, where the spec has {spec.training.ranks}"
        )
        self.training = spec.training
        self.setting = setting
        self.seed = spec.seed
        self.model = LanguageModel(spec, tokens.vocab_size, tokens.token_count_V).to(setting.device)
        self.replicas = Replicas(communicator, spec.training.routing_scope)
        self.replicas.attach(self.model)
        self.shards = Shards(self.model, communicator, spec.training.layout)
        self.optimiser = make_optimiser(self.model, spec.training)
        if spec.training.compile:
            compile_model(self.model)

    def begin(self, step: int) -> float:
        """Prepare step ``step`` (from 1) and return its learning rate."""
        self.model.train()
        # What dropout and noisy routers draw depends on seed and step alone, so a run can go on.
        torch.manual_seed(self.replicas.seed(self.seed * 1_000_003 + step))
        rate = learning_rate(self.training, step)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        return rate

    def forward(self, batch: Batch) -> Loss:
        """Loss of a batch: the task's, plus balance and z-loss of every layer."""
        own = self.replicas.own(batch)
        input_BS, target_BS = (self.setting.to_device(ids) for ids in own)
        with self.setting.autocast():
            out = self.model(input_BS)
        task = functional.cross_entropy(
            single_or_wider(out.logits_BSV.flatten(0, 1)), target_BS.flatten()
        )
        total = task
        for layer in out.layers:
            total = total + self.training.balance_coef * layer.balance_loss
            total = total + self.training.z_coef * layer.z_loss
        return Loss(total=total, task=self.replicas.mean(task.detach()))

    def backward(self, loss: Loss) -> None:
        """Gradients of all parameters, on every rank those of the whole batch."""
        loss.total.backward()
        self.replicas.average_gradients(self.shards.shared)
        self.shards.average_gradients()

    def update(self) -> Tensor:
        """Clip, step, let routers adapt, forget the gradients; returns the norm before clipping."""
        norm = self.shards.clip(self.training.grad_clip)
        self.optimiser.step()
        for layer in self.model.moe_layers():
            self.replicas.adapt(layer.router)
        self.optimiser.zero_grad(set_to_none=True)
        return norm

    def state(self) -> dict[str, Any]:
        """All that a later process needs to go on from here; on the first rank, of all ranks."""
        with self.shards.whole(self.optimiser):
            return {"model": self.model.state_dict(), "optimiser": self.optimiser.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a ``state``."""
        with self.shards.room(self.optimiser):
            self.model.load_state_dict(state["model"])
            self.optimiser.load_state_dict(state["optimiser"])


def compile_model(model: nn.Module, **options: Any) -> None:
    """Let torch compile a model, in place, whatever of it does not depend on the tokens' numbers.

    Raises MachineError without a C++ compiler. Code that several models share is compiled for each
    of them; without these settings torch would, from the ninth on, run it as it is, unsaid.
    """
    from torch._dynamo import config  # takes 2 s, for which only those who compile wait

    machine.check_compiler()
    config.recompile_limit = config.accumulated_recompile_limit = _NUM_VARIANTS
    config.fail_on_recompile_limit_hit = True
    model.compile(**options)


def make_optimiser(model: nn.Module, training: TrainingSpec) -> AdamW:
    """AdamW that decays matrices and leaves gains alone."""
    matrices = [p for p in model.parameters() if p.ndim >= 2]
    gains = [p for p in model.parameters() if p.ndim < 2]
    return AdamW(
        [
            {"params": matrices, "weight_decay": training.weight_decay},
            {"params": gains, "weight_decay": 0.0},
        ],
        lr=training.learning_rate,
        betas=_BETAS,
        fused=True,
    )


def learning_rate(training: TrainingSpec, step: int) -> float:
    """Linear warm-up, then half a cosine that ends at zero after the last step; steps from 1."""
    if step <= training.warmup_steps:
        return training.learning_rate * step / training.warmup_steps
    done = (step - training.warmup_steps) / (training.num_steps - training.warmup_steps + 1)
    return training.learning_rate * 0.5 * (1 + math.cos(math.pi * done))
