"""The waterfall: train and score each router after each repair; one row a cell."""

import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch.nn import functional
from tqdm import tqdm

from moebench import machine, provenance
from moebench.analysis.rates import perplexity, tokens_per_s
from moebench.lm import legacy
from moebench.lm.data import Batch, Tokens
from moebench.lm.evaluate import Values
from moebench.lm.timing import timed_step
from moebench.lm.trainer import Trainer
from moebench.records import Row
from moebench.setting import Setting, prepare
from moebench.spec.waterfall import EXPERIMENT, WaterfallCellSpec, WaterfallSpec

WARMUP_SHARE = 0.1  # of the steps, left out of our own rate


@dataclass
class Trained:
    """A trained model, the seconds of its steps, and its scores by protocol."""

    trainer: Trainer
    step_s: list[float]
    scores: dict[str, tuple[float, float]] = field(default_factory=dict)  # nats, seconds


def measure(
    spec: WaterfallSpec, corpus: str, tokenizer: str, tokens: Tokens, code: str
) -> list[Row]:
    """Measure every cell, alone on the machine; cells of one and the same training share it.

    Raises MachineError for more threads than cores, ValueError for too little held-out text.
    """
    training = spec.training
    machine.check_threads(training.threads, f"{EXPERIMENT}.training.threads")
    if len(tokens.validation_N) < spec.num_validation_tokens:
        raise ValueError(
            f"{EXPERIMENT}.num_validation_tokens={spec.num_validation_tokens} are more than the "
            f"{len(tokens.validation_N)} tokens of the held-out text; ask for fewer"
        )
    cells = list(spec.cells(corpus, tokenizer))
    rows = []
    with machine.exclusive():
        setting = prepare(training.device, training.dtype, training.threads)
        facts = setting.facts(code, **tokens.digests())
        trained: dict[str, Trained] = {}
        for cell in shown(cells):
            identity = identity_of(cell)
            if identity not in trained:
                trained = _of_seed(trained, cell.run.seed)
                trained[identity] = train(cell, tokens, setting)
            values = read(cell, spec, trained[identity], tokens)
            described = cell.run.model_dump() | cell.model_dump(exclude={"run"})
            described |= {"trained_as": cell.run.router, "interval": spec.interval}
            rows.append(Row(kind=EXPERIMENT, spec=described, setting=facts, values=values))
    return rows


def shown(cells: Sequence[WaterfallCellSpec]) -> Iterator[WaterfallCellSpec]:
    """The cells, with a line of progress now and then."""
    return iter(tqdm(cells, desc="waterfall", unit="cell", mininterval=5, ascii=True, ncols=90))


def identity_of(cell: WaterfallCellSpec) -> str:
    """Digest of all that decides a training: repairs of metrics do not."""
    scale = "expert_scale" in cell.repaired
    return provenance.json_digest([cell.run.model_dump(), scale])


def _of_seed(trained: dict[str, Trained], seed: int) -> dict[str, Trained]:
    """What is kept of the models trained so far: those of one seed."""
    return {key: each for key, each in trained.items() if each.trainer.seed == seed}


def train(cell: WaterfallCellSpec, tokens: Tokens, setting: Setting) -> Trained:
    """Train the model of a cell, clocking every step."""
    trainer = Trainer(cell.run, tokens, setting)
    if "expert_scale" not in cell.repaired:
        legacy.shrink_experts(trainer.model)
    steps = range(1, cell.run.training.num_steps + 1)
    step_s = [timed_step(trainer, tokens, step)["train_time_s"] for step in steps]
    return Trained(trainer, step_s)


def read(cell: WaterfallCellSpec, spec: WaterfallSpec, trained: Trained, tokens: Tokens) -> Values:
    """Perplexity and rate of a cell, by the protocols that its repairs leave in force."""
    protocol = "windows" if "windows" in cell.repaired else "overlapping"
    if protocol not in trained.scores:
        trained.scores[protocol] = score(trained.trainer, tokens, spec, protocol)
    nll_nats, validation_s = trained.scores[protocol]
    exponential = perplexity if protocol == "windows" else legacy.capped_perplexity
    warm_s = trained.step_s[int(WARMUP_SHARE * len(trained.step_s)) :]
    clock = Clocked(
        num_tokens=spec.training.batch_size * spec.training.seq_len,
        interval=spec.interval,
        step_s=statistics.median(warm_s),
        validation_s=validation_s,
    )
    return {
        "val_nll_nats": nll_nats,
        "val_ppl": exponential(nll_nats),
        "tokens_per_s": clock.rate(cell.repaired),
        "train_step_s": clock.step_s,
        "validation_s": validation_s,
        "train_tokens": clock.num_tokens,
        "causality": str(trained.trainer.model.causality),
    }


@dataclass(frozen=True, kw_only=True)
class Clocked:
    """Between two scorings: ``interval`` steps of ``num_tokens`` each, and a scoring."""

    num_tokens: int
    interval: int
    step_s: float
    validation_s: float

    def rate(self, repaired: Sequence[str]) -> float:
        """Tokens per second, as the repairs of the clock leave it."""
        elapsed_s = self.interval * self.step_s
        if "validation_time" not in repaired:
            elapsed_s += self.validation_s
        if "interval" not in repaired:
            return legacy.tokens_per_s(self.num_tokens, self.interval, elapsed_s)
        return tokens_per_s(self.num_tokens * self.interval, elapsed_s)


@torch.no_grad()
def score(
    trainer: Trainer, tokens: Tokens, spec: WaterfallSpec, protocol: str
) -> tuple[float, float]:
    """Mean loss in nats over all that a protocol scores, and the seconds it took."""
    trainer.model.eval()
    size = (spec.training.batch_size, spec.training.seq_len)
    if protocol == "windows":
        start = replace(tokens, validation_N=tokens.validation_N[: spec.num_validation_tokens])
        batches = start.validation_batches(*size)
    else:
        batches = legacy.overlapping_windows(tokens, spec.num_validation_tokens, *size)
    total, count = 0.0, 0
    start_s = time.perf_counter()
    for batch in batches:
        loss, num_tokens = batch_loss(trainer, batch)
        total, count = total + loss * num_tokens, count + num_tokens
    return total / count, time.perf_counter() - start_s


def batch_loss(trainer: Trainer, batch: Batch) -> tuple[float, int]:
    """Mean loss of a batch in nats, which the host waits for, and its tokens."""
    input_BS, target_BS = (ids.to(trainer.setting.device) for ids in batch)
    with trainer.setting.autocast():
        logits_BSV = trainer.model(input_BS).logits_BSV
    loss = functional.cross_entropy(logits_BSV.flatten(0, 1).float(), target_BS.flatten())
    return loss.item(), target_BS.numel()
