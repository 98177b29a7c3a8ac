"""One finetuning run: adapters on a frozen base model, from a spec to rows."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from moebench import machine, provenance
from moebench.adamw import AdamW
from moebench.perft.adapter_file import save_adapter
from moebench.perft.base import AdaptedModel
from moebench.perft.base_model import BaseModel
from moebench.perft.loop import Learner, Plan, Values, run
from moebench.perft.questions import Batch, Encoded, nll_BS, training_batch
from moebench.records import Row
from moebench.spec.adapters import AdapterRunSpec, FinetuningSpec

Score = Callable[[AdaptedModel], Values]


@dataclass(frozen=True, kw_only=True)
class Files:
    """Where a run keeps its unfinished state, and leaves its adapters."""

    checkpoint: Path
    adapter: Path


@dataclass(frozen=True, kw_only=True)
class Loss:
    """The loss of one batch; nothing here has been copied to the host."""

    total: Tensor  # what the backward pass starts from
    task: Tensor  # mean negative log-likelihood in nats of the tokens that count
    balance: Tensor  # without its coefficient


class Finetuner(Learner):
    """Adapters in training: forward pass, backward pass and optimiser step, apart.

    Training and timing use the same methods, so that what is timed is what is trained.
    """

    def __init__(self, spec: AdapterRunSpec, base: BaseModel, questions: Sequence[Encoded]):
        self.spec = spec
        self.training = spec.finetuning
        self.setting = base.setting
        self.questions = questions
        _check(questions, base, self.training)
        self.model = AdaptedModel(base, spec.adapter, spec.seed)
        self.trained = self.model.trainable_parameters()
        self.optimiser = AdamW(
            list(self.trained.values()),
            lr=self.training.learning_rate,
            weight_decay=self.training.weight_decay,
            fused=True,
        )

    def batch(self, step: int) -> Batch:
        """The questions of a step, still on the host."""
        return training_batch(self.questions, self.spec.seed, step, self.training.batch_size)

    def begin(self, step: int) -> float:
        """Prepare step ``step`` (from 1) and return its learning rate."""
        self.model.train()
        if self.spec.adapter.dropout:
            torch.manual_seed(self.spec.seed * 1_000_003 + step)
        rate = learning_rate(self.training, step)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        return rate

    def forward(self, batch: Batch) -> Loss:
        """Loss of a batch: the task's over the tokens that count, and the routers' balance."""
        batch = batch.to(self.setting)
        out = self.model(batch.input_BS, batch.is_token_BS)
        counted_BS = batch.counted_BS(self.training.loss_on)
        task = (nll_BS(out.logits_BSV, batch) * counted_BS).sum() / counted_BS.sum()
        total = task + self.training.balance_coef * out.balance_loss
        return Loss(total=total, task=task.detach(), balance=out.balance_loss.detach())

    def backward(self, loss: Loss) -> None:
        """Gradients of all that is trained."""
        loss.total.backward()

    def update(self) -> Tensor:
        """Clip, step, forget the gradients; returns the gradient's norm before clipping."""
        norm = torch.nn.utils.clip_grad_norm_(self.trained.values(), self.training.grad_clip)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        return norm

    def step(self, step: int) -> Values:
        """One step, with what it read."""
        batch = self.batch(step)
        rate = self.begin(step)
        loss = self.forward(batch)
        self.backward(loss)
        norm = self.update()
        return {
            "train_loss_nats": loss.task,
            "balance_loss": loss.balance,
            "learning_rate": rate,
            "grad_norm": norm,
            "num_tokens": int(batch.is_token_BS.sum()),
            "num_counted_tokens": int(batch.counted_BS(self.training.loss_on).sum()),
        }

    def state(self) -> dict[str, Any]:
        """Adapters and optimiser; the base model never changes."""
        added = {name: p.detach() for name, p in self.model.adapter_parameters().items()}
        return {"adapters": added, "optimiser": self.optimiser.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a ``state``."""
        self.model.load_adapter_parameters(state["adapters"])
        self.optimiser.load_state_dict(state["optimiser"])


def finetune(
    spec: AdapterRunSpec,
    base: BaseModel,
    questions: Sequence[Encoded],
    score: Score,
    files: Files,
    code: str,
) -> list[Row]:
    """Train adapters, score them on the way, and leave them, without the base, in a file.

    ``score`` is called before the first step, at intervals and after the last one; its readings are
    rows of kind ``validation``, those of step 0 the base model's own, and the last ones stand in
    the row of kind ``final`` again. ``code`` is the digest of the code. ValueError for questions
    longer than the cutoff, or with token ids that the base model does not know.
    """
    learner = Finetuner(spec, base, questions)
    facts = base.setting.facts(
        code, base_sha256=base.identity, questions_sha256=questions_digest(questions)
    )

    def scored() -> Values:
        learner.model.eval()
        with torch.no_grad():
            return score(learner.model)

    progress = run(learner, _plan(spec, facts, files), scored)
    save_adapter(learner.model, files.adapter)
    final = progress.readings[-1][1] | _account(learner)
    final["wall_s"] = progress.wall_s
    files.checkpoint.unlink(missing_ok=True)
    return [
        Row(kind=kind, spec=spec.model_dump(), setting=facts, values=values)
        for kind, values in [*progress.readings, ("final", final)]
    ]


def learning_rate(training: FinetuningSpec, step: int) -> float:
    """Linear warm-up, then a straight line to zero after the last step; steps from 1."""
    if step <= training.warmup_steps:
        return training.learning_rate * step / training.warmup_steps
    left = training.num_steps - step + 1
    return training.learning_rate * left / (training.num_steps - training.warmup_steps + 1)


def questions_digest(questions: Sequence[Encoded]) -> str:
    """Digest of all token ids, and of where the answers begin."""
    return provenance.json_digest([[list(each.ids), each.num_prompt] for each in questions])


def _plan(spec: AdapterRunSpec, facts: Values, files: Files) -> Plan:
    setting = ("device", "dtype", "threads", "torch", "code_digest")
    decisive = [facts[key] for key in (*setting, "base_sha256", "questions_sha256")]
    training = spec.finetuning
    return Plan(
        title=f"{spec.adapter.variant} rank {spec.adapter.rank} seed {spec.seed}",
        num_steps=training.num_steps,
        eval_every=training.eval_every,
        checkpoint_every=training.checkpoint_every,
        checkpoint=files.checkpoint,
        identity=provenance.json_digest([spec.model_dump(), decisive]),
        remedy="lower finetuning.learning_rate",
    )


def _account(learner: Finetuner) -> Values:
    """What a finished run says of its model and its memory."""
    return {
        **asdict(learner.model.account()),
        "peak_resident_bytes": machine.peak_resident_bytes(),
        "peak_allocated_bytes": learner.setting.peak_allocated_bytes(),
    }


def _check(questions: Sequence[Encoded], base: BaseModel, training: FinetuningSpec) -> None:
    """Refuse what would fail, or be cut, in the middle of training."""
    longest = max((len(each.ids) for each in questions), default=0)
    if longest > training.cutoff:
        raise ValueError(
            f"a question with its answer has {longest} tokens, and the cutoff is "
            f"{training.cutoff}; leave such questions out, or raise finetuning.cutoff"
        )
    largest = max((max(each.ids) for each in questions), default=0)
    if largest >= base.vocab_size:
        raise ValueError(
            f"token id {largest} is not among the {base.vocab_size} that the base model knows; "
            "encode the questions with the base model's own tokenizer"
        )
