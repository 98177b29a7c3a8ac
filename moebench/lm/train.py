"""One training run, from a spec to rows; killed at any step, it goes on where it was."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from moebench import machine, provenance, records, termination
from moebench.analysis.rates import perplexity
from moebench.lm import weights
from moebench.lm.causal import causal_scores
from moebench.lm.data import Tokens
from moebench.lm.evaluate import Values, score
from moebench.lm.replicas import agreed
from moebench.lm.saturation import sample_routing, saturations
from moebench.lm.trainer import Trainer
from moebench.parallel.communicators.base import Alone, Communicator
from moebench.records import Row
from moebench.setting import prepare
from moebench.spec import RunSpec

_PROGRESS_S = 5  # at most one line of progress in so many seconds


@dataclass
class Progress:
    """How far a run has come, and what it has read on the way."""

    step: int = 0
    wall_s: float = 0.0
    readings: list[tuple[str, Values]] = field(default_factory=list)
    asked: dict[int, Tensor] = field(default_factory=dict)  # by step: who asks for whom, (L, T, E)


def train(
    spec: RunSpec,
    tokens: Tokens,
    checkpoint: Path,
    code: str,
    final: Path | None = None,
    communicator: Communicator | None = None,
) -> list[Row]:
    """Train one model and score it on all of the held-out text.

    ``checkpoint`` is a file of this function's own: it holds the state of an unfinished run and is
    gone after a finished one; the weights then go to ``final``, where it is given. ``code`` is the
    digest of the code; a checkpoint of other code, another spec or another text is not gone on
    from. SIGTERM leaves a checkpoint of the step that is being done, and raises Terminated.

    With several ranks, all call this. The first one reads and writes files, scores, and returns the
    rows; the others return none. SIGTERM to any of them ends all, after the same step.
    """
    ranks = communicator or Alone()
    setting = prepare(spec.training.device, spec.training.dtype, spec.training.threads)
    setting = agreed(setting, ranks)
    facts = setting.facts(code, world_size=ranks.world_size, **tokens.digests())
    trainer = Trainer(spec, tokens, setting, ranks)
    identity = _identity(spec, facts)
    progress = _resume(trainer, checkpoint, identity)
    if progress.step == 0:
        with trainer.shards.whole():
            _sample(trainer, tokens, progress, step=0)
    with termination.noticed() as is_to_end:
        _run_steps(
            trainer,
            tokens,
            progress,
            save=lambda: _save(trainer, progress, checkpoint, identity),
            is_to_end=is_to_end,
        )
    peak_bytes = trainer.replicas.largest(machine.peak_resident_bytes())
    with trainer.shards.whole():
        if ranks.rank > 0:
            return []
        _finish(trainer, tokens, progress, peak_bytes)
        if final is not None:
            weights.write(trainer.model, final)
    checkpoint.unlink(missing_ok=True)
    return [
        Row(kind=kind, spec=spec.model_dump(), setting=facts, values=_scalars(kind, values))
        for kind, values in progress.readings
    ]


def _finish(trainer: Trainer, tokens: Tokens, progress: Progress, peak_bytes: int) -> None:
    """Read what a finished model can be asked for; ``peak_bytes`` is the memory that a rank had."""
    outcome = progress.readings[-1][1] | _account(trainer, tokens)
    outcome |= causal_scores(trainer.model, tokens, trainer.setting, outcome)
    outcome |= {"wall_s": progress.wall_s, "peak_resident_bytes": peak_bytes}
    progress.readings += [("saturation", values) for values in saturations(progress.asked)]
    progress.readings.append(("final", outcome))


def _run_steps(
    trainer: Trainer,
    tokens: Tokens,
    progress: Progress,
    *,
    save: Callable[[], None],
    is_to_end: Callable[[], bool],
) -> None:
    """Train from where the progress is to the last step, which is always scored."""
    training = trainer.training
    pending: list[dict[str, Any]] = []
    start = time.monotonic() - progress.wall_s
    replicas = trainer.replicas
    for step in _shown(progress, trainer.model.spec, is_silent=replicas.rank > 0):
        rate = trainer.begin(step)
        loss = trainer.forward(
            tokens.training_batch(trainer.seed, step, training.batch_size, training.seq_len)
        )
        trainer.backward(loss)
        norm = trainer.update()
        pending.append(
            {"step": step, "train_loss_nats": loss.task, "learning_rate": rate, "grad_norm": norm}
        )
        is_last = step == training.num_steps
        is_leaving = replicas.any(is_to_end()) and not is_last
        is_scored = is_last or step % training.eval_every == 0
        is_saved = not is_last and (is_leaving or step % training.checkpoint_every == 0)
        if is_scored or is_saved:
            # Tensors reach the host here, not in every step.
            progress.readings += [("train_step", _on_host(values)) for values in pending]
            pending.clear()
        if is_scored:
            _score(trainer, tokens, progress, step)
        progress.step, progress.wall_s = step, time.monotonic() - start
        if is_saved:
            save()
        if is_leaving:
            replicas.communicator.wait_idle()  # a rank that leaves ends the others, in mid-save too
            raise termination.stopped(step, training.num_steps)


def _score(trainer: Trainer, tokens: Tokens, progress: Progress, step: int) -> None:
    """Score the model on the first rank, which has all of it meanwhile."""
    with trainer.shards.whole():
        if trainer.replicas.rank == 0:
            values = score(trainer.model, tokens, trainer.setting, trainer.training.batch_size)
            progress.readings.append(("validation", {"step": step} | values))
            _sample(trainer, tokens, progress, step)


def _sample(trainer: Trainer, tokens: Tokens, progress: Progress, step: int) -> None:
    """Remember who asks for whom at a step; a model without a mixture asks for nobody."""
    if trainer.model.moe_layers() and trainer.replicas.rank == 0:
        progress.asked[step] = sample_routing(trainer.model, tokens, trainer.setting)


def _account(trainer: Trainer, tokens: Tokens) -> Values:
    """What a finished run says of its model."""
    model = trainer.model
    layers = model.moe_layers()
    return {
        "bigram_val_ppl": perplexity(tokens.bigram_val_nll_nats),
        "num_params": model.num_params(),
        "num_active_params": model.num_active_params(),
        "top_k": layers[0].router.top_k if layers else None,
        "causality": str(model.causality),
        "training_causality": str(model.training_causality),
        "learned": layers[0].router.learned if layers else None,
        "peak_allocated_bytes": trainer.setting.peak_allocated_bytes(),
    }


def _identity(spec: RunSpec, facts: dict[str, Any]) -> str:
    """Digest of all that decides a run's losses to the last bit."""
    decisive = ("device", "dtype", "threads", "torch", "code_digest", *Tokens.DIGESTS)
    return provenance.json_digest([spec.model_dump(), [facts[key] for key in decisive]])


def _resume(trainer: Trainer, checkpoint: Path, identity: str) -> Progress:
    """Go on from a checkpoint, where there is one, which the first rank reads for all."""
    saved: dict[str, Any] | None = None
    if trainer.replicas.rank == 0 and checkpoint.is_file():
        saved = torch.load(checkpoint, map_location=trainer.setting.device, weights_only=True)
        if saved["identity"] != identity:
            print(f"{checkpoint} is of another run: starting from step 1", flush=True)
            saved = None
        else:
            print(f"going on after step {saved['step']} of {checkpoint}", flush=True)
    saved = trainer.replicas.told(saved)
    if saved is None:
        return Progress()
    trainer.restore(saved["trainer"])
    return Progress(**{name: saved[name] for name in ("step", "wall_s", "readings", "asked")})


def _save(trainer: Trainer, progress: Progress, checkpoint: Path, identity: str) -> None:
    """Write the checkpoint; a kill at any moment leaves the old or the new one, whole."""
    state = trainer.state()
    if trainer.replicas.rank > 0:
        return
    with records.whole(checkpoint) as file:
        torch.save({"identity": identity, "trainer": state, **vars(progress)}, file)


def _shown(progress: Progress, spec: RunSpec, *, is_silent: bool) -> Iterable[int]:
    """The steps still to do, with a line of progress now and then."""
    steps: Iterable[int] = tqdm(
        range(progress.step + 1, spec.training.num_steps + 1),
        disable=is_silent,
        desc=f"{spec.router} {spec.model.capacity_factor} seed {spec.seed}",
        initial=progress.step,
        total=spec.training.num_steps,
        unit="step",
        mininterval=_PROGRESS_S,
        ascii=True,
        ncols=90,
    )
    return steps


def _on_host(values: dict[str, Any]) -> Values:
    return {k: v.item() if isinstance(v, torch.Tensor) else v for k, v in values.items()}


def _scalars(kind: str, values: Values) -> Values:
    """Lists belong to the final reading; on the way only numbers and the load are kept."""
    if kind == "final":
        return values
    return {
        key: value
        for key, value in values.items()
        if key == "load_routed_LE" or not isinstance(value, list)
    }
