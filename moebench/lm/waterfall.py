"""The waterfall: train and score each router after each repair; one row a cell."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch.nn import functional

from moebench import machine, provenance
from moebench.analysis.rates import perplexity, tokens_per_s
from moebench.lm import legacy
from moebench.lm.causal import HEADLINE, calibrate, chosen_by
from moebench.lm.data import Batch, Tokens
from moebench.lm.evaluate import Values
from moebench.lm.timing import timed_step
from moebench.lm.trainer import Trainer
from moebench.lm.turns import in_turn
from moebench.records import Row
from moebench.routers.base import Causality
from moebench.setting import Setting, prepare
from moebench.spec.waterfall import EXPERIMENT, WaterfallCellSpec, WaterfallSpec

WARMUP_SHARE = 0.1  # of the steps, left out of our own rate


@dataclass(frozen=True)
class Score:
    """Mean loss over all that a protocol scores, what it looked at, and how long it took."""

    nll_nats: float
    causality: str
    elapsed_s: float


@dataclass
class Trained:
    """A trained model, the seconds of its steps, and its scores by protocol and causality."""

    trainer: Trainer
    step_s: list[float] = field(default_factory=list)
    scores: dict[tuple[str, str], Score] = field(default_factory=dict)


def measure(
    spec: WaterfallSpec, corpus: str, tokenizer: str, tokens: Tokens, code: str
) -> list[Row]:
    """Measure every cell, alone on the machine, seed by seed.

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
        for seed in spec.seeds:
            mine = [cell for cell in cells if cell.run.seed == seed]
            trained = train_in_turn(mine, tokens, setting)
            for cell in mine:
                values = read(cell, spec, trained[identity_of(cell)], tokens)
                described = cell.run.model_dump() | cell.model_dump(exclude={"run"})
                described |= {"trained_as": cell.run.router, "interval": spec.interval}
                rows.append(Row(kind=EXPERIMENT, spec=described, setting=facts, values=values))
    return rows


def identity_of(cell: WaterfallCellSpec) -> str:
    """Digest of all that decides a training: repairs of metrics do not."""
    scale = "expert_scale" in cell.repaired
    return provenance.json_digest([cell.run.model_dump(), scale])


def train_in_turn(
    cells: Sequence[WaterfallCellSpec], tokens: Tokens, setting: Setting
) -> dict[str, Trained]:
    """The models of cells by their identity: one model for all cells of the same training.

    They make their steps in turn, and every step is clocked.
    """
    models = {
        identity: Trained(_begun(cell, tokens, setting))
        for identity, cell in {identity_of(each): each for each in cells}.items()
    }
    run, each = cells[0].run, list(models.values())
    for step, index in in_turn(len(each), run.training.num_steps, f"waterfall, seed {run.seed}"):
        one = each[index]
        one.step_s.append(timed_step(one.trainer, tokens, step)["train_time_s"])
    return models


def _begun(cell: WaterfallCellSpec, tokens: Tokens, setting: Setting) -> Trainer:
    """The model of a cell before its first step."""
    trainer = Trainer(cell.run, tokens, setting)
    if "expert_scale" not in cell.repaired:
        legacy.shrink_experts(trainer.model)
    return trainer


def read(cell: WaterfallCellSpec, spec: WaterfallSpec, trained: Trained, tokens: Tokens) -> Values:
    """Perplexity and rate of a cell, by the protocols that its repairs leave in force."""
    scored = _scored(cell, spec, trained, tokens)
    exponential = perplexity if "windows" in cell.repaired else legacy.capped_perplexity
    warm_s = trained.step_s[int(WARMUP_SHARE * len(trained.step_s)) :]
    clock = Clocked(
        num_tokens=spec.training.batch_size * spec.training.seq_len,
        interval=spec.interval,
        step_s=statistics.median(warm_s),
        validation_s=scored.elapsed_s,
    )
    return {
        "val_nll_nats": scored.nll_nats,
        "val_ppl": exponential(scored.nll_nats),
        "tokens_per_s": clock.rate(cell.repaired),
        "train_step_s": clock.step_s,
        "validation_s": scored.elapsed_s,
        "train_tokens": clock.num_tokens,
        "causality": scored.causality,
    }


def _scored(
    cell: WaterfallCellSpec, spec: WaterfallSpec, trained: Trained, tokens: Tokens
) -> Score:
    """The score of a cell's model; cells of one protocol share it."""
    protocol = "windows" if "windows" in cell.repaired else "overlapping"
    model, setting = trained.trainer.model, trained.trainer.setting
    slots = [layer.slots for layer in model.moe_layers()]
    if "later_tokens" in cell.repaired and model.causality == Causality.NON_CAUSAL:
        slots = [layer.slots_for(HEADLINE) for layer in calibrate(model, tokens, setting)]
    with chosen_by(model, slots):
        way = protocol, str(model.causality)
        if way not in trained.scores:
            trained.scores[way] = score(trained.trainer, tokens, spec, protocol)
    return trained.scores[way]


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
def score(trainer: Trainer, tokens: Tokens, spec: WaterfallSpec, protocol: str) -> Score:
    """Score a model by a protocol, and clock it."""
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
    elapsed_s = time.perf_counter() - start_s
    return Score(total / count, str(trainer.model.causality), elapsed_s)


def batch_loss(trainer: Trainer, batch: Batch) -> tuple[float, int]:
    """Mean loss of a batch in nats, which the host waits for, and its tokens."""
    input_BS, target_BS = (ids.to(trainer.setting.device) for ids in batch)
    with trainer.setting.autocast():
        logits_BSV = trainer.model(input_BS).logits_BSV
    loss = functional.cross_entropy(logits_BSV.flatten(0, 1).float(), target_BS.flatten())
    return loss.item(), target_BS.numel()
