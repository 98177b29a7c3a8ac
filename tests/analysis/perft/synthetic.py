"""Rows as the PERFT room would give them, with scores of our choice."""

import functools
import json

from moebench.perft.accounting import block_cost, router_cost
from moebench.records import Row
from moebench.spec.adapters import AdapterRunSpec, AdapterSpec, FinetuningSpec

SETTING = {"device": "cpu", "dtype": "float32"}
SEEDS = (0, 1, 2)
DIM, LAYERS, BASE_ACTIVE = 64, 2, 100_000
BASE_NATS, BASE_ACCURACY = 2.0, 0.25
ROUTED = {"num_adapters": 4, "top_k": 1}
# Name: adapter, nats per answer token, accuracy.
ARMS = {
    "single": (AdapterSpec(variant="single", rank=4), 1.50, 0.40),
    "single wide": (AdapterSpec(variant="single", rank=16), 1.20, 0.55),
    "routed": (AdapterSpec(variant="routed", rank=4, options=ROUTED), 1.30, 0.50),
    "frozen": (
        AdapterSpec(variant="routed", rank=4, options=ROUTED | {"router": "frozen"}),
        1.30,
        0.50,
    ),
    "legacy": (
        AdapterSpec(variant="routed", rank=4, options=ROUTED | {"legacy_weighting": True}),
        0.90,
        0.90,
    ),
    "embedded": (AdapterSpec(variant="embedded", rank=4), 1.25, 0.50),
}


@functools.cache
def _spec(adapter):
    return AdapterRunSpec(
        base="embedded",
        data="generated",
        seed=0,
        adapter=AdapterSpec(**json.loads(adapter)),
        finetuning=FinetuningSpec(num_steps=4, warmup_steps=1),
    ).model_dump()


def spec(adapter, seed=0):
    return _spec(adapter.model_dump_json()) | {"seed": seed}


def cost(adapter):
    number = {"single": 1, "embedded": 8}.get(adapter.variant, 4)
    met = {"single": 1, "embedded": 2}.get(adapter.variant, 1)
    total = block_cost(DIM, adapter.rank, number, met)
    if adapter.variant == "routed" and adapter.options.get("router") != "frozen":
        total = total + router_cost(DIM, number)
    return total * LAYERS


def scores(nats, accuracy):
    return {
        "answer_nll_nats": nats,
        "accuracy": accuracy,
        "chance_accuracy": 0.25,
        "num_scored_questions": 200,
        "num_scored_tokens": 3000,
    }


def rows(arms=None, seeds=SEEDS, noise=0.01):
    """Training, validation, final and timed rows; seeds shift all arms alike, and each a little."""
    found = []
    for number, (adapter, nats, accuracy) in enumerate((arms or ARMS).values()):
        for seed in seeds:
            own = noise * (((number * 7 + seed * 5) % 11) / 11 - 0.5)
            found += run_rows(adapter, seed, nats + 0.2 * seed + own, accuracy + own)
        found += timed_rows(adapter, 0.1 + 0.01 * number)
    return found


def run_rows(adapter, seed, nats, accuracy):
    parameters = cost(adapter)
    values = {
        "final": scores(nats, accuracy)
        | {
            "step": 4,
            "num_trainable_params": parameters.trainable,
            "num_activated_trainable_params": parameters.activated,
            "num_base_params": 2 * BASE_ACTIVE,
            "num_base_active_params": BASE_ACTIVE,
            "activated_share": parameters.activated / BASE_ACTIVE,
            "peak_resident_bytes": 10**9 + seed,
            "peak_allocated_bytes": None,
            "wall_s": 1.0,
        }
    }
    readings = [
        ("validation", {"step": 0} | scores(BASE_NATS, BASE_ACCURACY)),
        *(("train_step", {"step": step, "train_loss_nats": 3 / step}) for step in (1, 2, 3, 4)),
        ("validation", {"step": 4} | scores(nats, accuracy)),
        ("final", values["final"]),
    ]
    return [
        Row(kind=kind, spec=spec(adapter, seed), setting=SETTING, values=values)
        for kind, values in readings
    ]


def timed_rows(adapter, median_s):
    return [
        Row(
            kind="timed_step",
            spec=spec(adapter),
            setting=SETTING,
            values={"round": turn, "train_time_s": median_s * (1 + 0.001 * (turn - 4))},
        )
        for turn in range(9)
    ]


def without(found, **wanted):
    """Rows but those whose kind or seed is one of the given."""
    return [
        row
        for row in found
        if not all(
            {"kind": row.kind, "seed": row.spec["seed"]}[key] == value
            for key, value in wanted.items()
        )
    ]
