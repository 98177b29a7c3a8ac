"""Speed of a training step against the machine's GEMM rate and the published code's way."""

import math
from collections.abc import Callable, Iterator, Sequence
from statistics import median

import torch

from moebench import machine, provenance
from moebench.bench.legacy import LegacyLayer
from moebench.bench.turns import Arm, quiet_rounds, ratio, verdict
from moebench.lm.data import Tokens
from moebench.lm.trainer import Trainer, make_optimiser
from moebench.moe import MoELayer
from moebench.records import Row
from moebench.setting import Setting, prepare
from moebench.spec import ModelSpec, RunSpec, TrainingSpec

EXPLANATION = """\
One training step (forward, backward, clipping, AdamW) of d 256, L 4, heads 4, E 8, K 2, m 4,
sequences of 256, softk; on a CPU 8 of them in float32, on a GPU 128 in bfloat16, as published:
  utilisation  model FLOPs of a step (3 forward passes) over its time, of the dropless model, as a
               share of the rate of the GEMM named below, measured in the same rounds; on a GPU
               this is its model FLOPs utilisation, MFU, by what the GPU can do and not by its sheet
  speed-up     tokens/s at capacity factor 1.25 over the same model and optimiser with mixture
               layers in the published code's way: packed E x C x d buffers, a Python loop over
               slices of stacked weights, statistics fetched to the host in every layer"""

UTILISATION_TARGET, SPEED_UP_TARGET = 0.55, 1.7
_BATCH_SIZE = {"cpu": 8, "cuda": 128}
_GEMM_SIZE = {"cpu": 1024, "cuda": 8192}  # from where on the rate hardly grows
_VOCAB_SIZE = 80  # characters of the published text
_MODEL = {"num_layers": 4, "dim": 256, "num_heads": 4, "num_experts": 8, "top_k": 2, "ffn_mult": 4}


def step_spec(drop_policy: str = "none", device: str = "cpu") -> RunSpec:
    """The model whose step is measured on a ``device``, cpu or cuda."""
    return RunSpec(
        experiment="bench",
        router="softk",
        router_options={},
        seed=0,
        corpus="random",
        tokenizer="char",
        model=ModelSpec.model_validate(_MODEL | {"drop_policy": drop_policy}),
        training=TrainingSpec.model_validate(
            {
                "seq_len": 256,
                "batch_size": _BATCH_SIZE[device],
                "device": device,
                "dtype": "float32" if device == "cpu" else "bfloat16",
            }
        ),
    )


def model_flops(trainer: Trainer) -> int:
    """Floating-point operations of one training step: a backward pass costs two forward passes."""
    training = trainer.training
    return 3 * trainer.model.flops_per_token() * training.batch_size * training.seq_len


def measure_step(threads: int, num_rounds: int, device: str = "cpu") -> Iterator[list[Row]]:
    """Measure round by round on a ``device``, cpu or cuda; yields one row for each arm."""
    machine.check_threads(threads, "--threads")
    training = step_spec(device=device).training
    with machine.exclusive():
        setting = prepare(training.device, training.dtype, threads)
        facts = setting.facts(provenance.code_digest("moebench.bench.step"))
        trainers = {
            "dropless": _trainer("none", setting),
            "ours": _trainer("position", setting),
            "legacy": _legacy(_trainer("position", setting)),
        }
        size = _GEMM_SIZE[device]
        a, b = torch.randn(2, size, size, dtype=setting.dtype, device=setting.device)
        out = torch.empty_like(a)
        calls: dict[str, Callable[[], object]] = {
            name: _step(trainer) for name, trainer in trainers.items()
        }
        calls["gemm"] = lambda: torch.mm(a, b, out=out)
        arms = {name: Arm(run=_until_done(call, setting)) for name, call in calls.items()}
        flops = {name: model_flops(trainer) for name, trainer in trainers.items()}
        flops["gemm"] = 2 * size**3
        for turn, time_s in enumerate(quiet_rounds(arms, num_rounds)):
            yield [
                Row(
                    kind="step",
                    spec=step_spec(device=device).model_dump(),
                    setting=facts,
                    values={"round": turn, "arm": arm, "time_s": s, "model_flops": flops[arm]},
                )
                for arm, s in time_s.items()
            ]


def account(rounds: Sequence[Sequence[Row]]) -> str:
    """What the rounds come to, and which targets are met."""
    rate = {arm: _rates(rounds, arm) for arm in ("dropless", "gemm")}
    time_s = {arm: _times(rounds, arm) for arm in ("dropless", "ours", "legacy")}
    training = TrainingSpec.model_validate(rounds[0][0].spec["training"])
    tokens = training.batch_size * training.seq_len
    is_asked = training.device == "cpu"  # the targets are those of two cores
    lines = [
        f"{arm:9} {median(each):.3f} s a step, {tokens / median(each):6.0f} tokens/s"
        for arm, each in time_s.items()
    ]
    utilisation = ratio(rate["dropless"], rate["gemm"])
    speed_up = ratio(time_s["legacy"], time_s["ours"])
    return "\n".join(
        [
            *lines,
            f"GEMM      {median(rate['gemm']):.4g} FLOP/s, all three sides "
            f"{_GEMM_SIZE[training.device]}",
            f"utilisation {verdict(utilisation, UTILISATION_TARGET if is_asked else None)}",
            f"speed-up    {verdict(speed_up, SPEED_UP_TARGET if is_asked else None)}",
        ]
    )


def _times(rounds: Sequence[Sequence[Row]], arm: str) -> list[float]:
    return [r.values["time_s"] for rows in rounds for r in rows if r.values["arm"] == arm]


def _rates(rounds: Sequence[Sequence[Row]], arm: str) -> list[float]:
    return [
        r.values["model_flops"] / r.values["time_s"]
        for rows in rounds
        for r in rows
        if r.values["arm"] == arm
    ]


def _trainer(drop_policy: str, setting: Setting) -> Trainer:
    return Trainer(step_spec(drop_policy, setting.device.type), _random_tokens(), setting)


def _legacy(trainer: Trainer) -> Trainer:
    """The same model and optimiser with the published code's mixture layers."""
    for block in trainer.model.blocks:
        assert isinstance(block.ffn, MoELayer)
        block.ffn = LegacyLayer(block.ffn)
    trainer.optimiser = make_optimiser(trainer.model, trainer.training)
    return trainer


def _step(trainer: Trainer) -> Callable[[], None]:
    training = trainer.training
    batch = _random_tokens().training_batch(0, 1, training.batch_size, training.seq_len)
    trainer.begin(1)

    def step() -> None:
        trainer.backward(trainer.forward(batch))
        trainer.update()

    return step


def _until_done(call: Callable[[], object], setting: Setting) -> Callable[[], None]:
    """The same call, which ends when the device has done what it was told."""

    def run() -> None:
        call()
        setting.synchronise()

    return run


def _random_tokens() -> Tokens:
    generator = torch.Generator().manual_seed(0)
    id_N = torch.randint(_VOCAB_SIZE, (10_000,), generator=generator)
    return Tokens(
        train_N=id_N,
        validation_N=id_N,
        vocab_size=_VOCAB_SIZE,
        token_count_V=torch.bincount(id_N, minlength=_VOCAB_SIZE),
        end_of_document=0,
        num_validation_bytes=len(id_N),
        bigram_val_nll_nats=math.log(_VOCAB_SIZE),
        corpus_sha256="",
        tokenizer_sha256="",
    )
