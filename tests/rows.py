"""Rows of an experiment that never ran, with numbers that a test chooses."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from moebench.analysis.schemas import CAUSAL_MODES
from moebench.records import Row
from moebench.spec import BASELINES, ModelSpec, RunSpec, TrainingSpec

SETTING = {
    "device": "cpu",
    "dtype": "float32",
    "threads": 1,
    "num_cores": 2,
    "world_size": 1,
    "is_oversubscribed": False,
    "keeps_freed_memory": True,
    "processor": "a processor",
    "python": "3.13.0",
    "torch": "2.13.0",
    "moebench": "0.1.0",
    "commit": "0123456789ab",
    "code_digest": "fedcba9876543210",
    "corpus_sha256": "0" * 64,
    "tokenizer_sha256": "0" * 64,
    "time": "2026-01-01T00:00:00+00:00",
}
ROUTERS = ("top1", "topk_hard", "softk", "hash", "expert_choice")
CAPACITY_FACTORS = (1.0, 1.25)
TOKENS_PER_STEP = 2048
NUM_STEPS = 4


def run_spec(router: str, capacity_factor: float | None = None, seed: int = 0, **model: Any):
    factor = {} if capacity_factor is None else {"capacity_factor": capacity_factor}
    return RunSpec(
        experiment="unified",
        router=router,
        router_options={},
        seed=seed,
        corpus="text",
        tokenizer="char",
        model=ModelSpec(**factor, **model),
        training=TrainingSpec(num_steps=NUM_STEPS, warmup_steps=1),
    )


def row(kind: str, spec: RunSpec, **values: Any) -> Row:
    return Row(kind=kind, spec=spec.model_dump(), setting=dict(SETTING), values=values)


def final(spec: RunSpec, val_nll_nats: float, **values: Any) -> Row:
    dense = spec.router in BASELINES
    balance = {
        "drop_rate": 0.1,
        "unrouted_rate": 0.02,
        "load_cv": 0.2,
        "load_cv_routed": 0.4,
        "max_vio": 0.3,
        "max_vio_routed": 0.6,
        "num_dead_experts": 1,
        "gate_entropy_nats": 1.2,
    }
    quantities = {
        "val_nll_nats": val_nll_nats,
        "val_ppl": float(np.exp(val_nll_nats)),
        "val_bits_per_byte": val_nll_nats / float(np.log(2)),
        "val_num_tokens": 10_000,
        "bigram_val_ppl": 12.0,
        "num_params": 1_000_000,
        "num_active_params": 300_000,
        "top_k": None if dense else 1 if spec.router == "top1" else spec.model.top_k,
        "causality": "non-causal" if spec.router == "expert_choice" else "token-local",
        **causal_scores(spec, values.get("val_nll_nats", val_nll_nats)),
        "learned": not dense and spec.router != "hash",
        **(dict.fromkeys(balance) if dense else balance),
        "load_cv_L": None if dense else [0.2, 0.2],
        "load_LE": None if dense else [[10, 10], [10, 10]],
        "val_nll_document_nats": [val_nll_nats, val_nll_nats],
        "val_document_tokens": [5_000, 5_000],
        "peak_resident_bytes": 500_000_000 + spec.seed,
        "wall_s": 30.0,
    }
    return row("final", spec, **(quantities | values))


def causal_scores(spec: RunSpec, val_nll_nats: float) -> dict[str, Any]:
    """Scores without later tokens, as good as those with them."""
    needs_one, nll = spec.router == "expert_choice", val_nll_nats
    return {
        "val_nll_causal_nats": nll,
        "val_ppl_causal": float(np.exp(nll)),
        "val_nll_document_causal_nats": [nll, nll],
        "causal_mode": "threshold" if needs_one else "as scored",
        "causal_effective_k": None if spec.router in BASELINES else 2.0,
        **{f"val_nll_{mode}_nats": nll if needs_one else None for mode in CAUSAL_MODES},
        **{f"effective_k_{mode}": 2.0 if needs_one else None for mode in CAUSAL_MODES},
    }


def timed_step(spec: RunSpec, round: int, train_time_s: float) -> Row:
    return row(
        "timed_step",
        spec,
        round=round,
        forward_s=0.3 * train_time_s,
        backward_s=0.6 * train_time_s,
        optimiser_s=0.1 * train_time_s,
        train_time_s=train_time_s,
        train_tokens=TOKENS_PER_STEP,
        train_tokens_per_s=TOKENS_PER_STEP / train_time_s,
    )


def curve(spec: RunSpec, val_nll_nats: float) -> list[Row]:
    """A loss that falls from twice its last value, scored at every second step."""
    rows = []
    for step in range(1, NUM_STEPS + 1):
        nll = val_nll_nats * (2 - step / NUM_STEPS)
        rows.append(
            row(
                "train_step",
                spec,
                step=step,
                train_loss_nats=nll,
                learning_rate=1e-3,
                grad_norm=1.0,
            )
        )
        if step % 2 == 0:
            score = {"val_nll_nats": nll, "val_ppl": float(np.exp(nll))}
            score |= {"val_bits_per_byte": nll / float(np.log(2)), "val_num_tokens": 10_000}
            rows.append(row("validation", spec, step=step, **score | _balance(spec, step)))
    if spec.router not in BASELINES:
        for step in range(0, NUM_STEPS + 1, 2):
            share = step / NUM_STEPS
            rows.append(
                row("saturation", spec, step=step, saturation=share, saturation_chance=0.25)
            )
    return rows


def _balance(spec: RunSpec, step: int) -> dict[str, Any]:
    """Two layers whose first expert is asked for less and less; nothing in a dense network."""
    if spec.router in BASELINES:
        return {"max_vio_routed": None, "num_dead_experts": None}
    load_E = [NUM_STEPS - step, 10, 10, 10]
    return {
        "max_vio_routed": 10 / (sum(load_E) / 4) - 1,
        "num_dead_experts": 2 * (step == NUM_STEPS),
        "load_routed_LE": [load_E, load_E],
    }


def arms(
    routers: Sequence[str] = ROUTERS,
    capacity_factors: Sequence[float] = CAPACITY_FACTORS,
    baselines: Sequence[str] = ("dense", "dense_total"),
) -> list[tuple[str, float | None]]:
    return [(r, cf) for r in routers for cf in capacity_factors] + [(b, None) for b in baselines]


def experiment(
    nll: Callable[[str, float | None, int], float],
    time_s: Callable[[str, float | None, int], float],
    seeds: Sequence[int] = (0, 1, 2),
    num_rounds: int = 12,
    among: Sequence[tuple[str, float | None]] | None = None,
) -> list[Row]:
    """All rows of the arms: ``nll`` of each arm and seed, ``time_s`` of each arm and round."""
    rows: list[Row] = []
    among = arms() if among is None else among
    for router, factor in among:
        for seed in seeds:
            spec = run_spec(router, factor, seed)
            rows += curve(spec, nll(router, factor, seed))
            rows.append(final(spec, nll(router, factor, seed)))
    for round in range(num_rounds):
        for router, factor in among:
            spec = run_spec(router, factor, seeds[0])
            rows.append(timed_step(spec, round, time_s(router, factor, round)))
    return rows


def plausible(seeds: Sequence[int] = (0, 1, 2), num_rounds: int = 12) -> list[Row]:
    """An experiment with noise: seeds move all arms alike, rounds slow all arms alike."""
    rng = np.random.default_rng(0)
    index = {arm: i for i, arm in enumerate(arms())}
    seed_S = 0.05 * rng.standard_normal(len(seeds))
    noise_AS = 0.002 * rng.standard_normal((len(index), len(seeds)))
    drift_R = 1 + 0.1 * rng.random(num_rounds)
    noise_AR = 1 + 0.01 * rng.random((len(index), num_rounds))

    def nll(router: str, factor: float | None, seed: int) -> float:
        i = index[router, factor]
        return float(
            2 + 0.03 * (i // 2) - 0.02 * (factor == 1.25) + seed_S[seed] + noise_AS[i, seed]
        )

    def time_s(router: str, factor: float | None, round: int) -> float:
        i = index[router, factor]
        return float(0.1 * (1 + 0.05 * (i // 2)) * drift_R[round] * noise_AR[i, round])

    return experiment(nll, time_s, seeds, num_rounds)
