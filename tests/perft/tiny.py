"""Tiny OLMoEs, adapters of every variant on them, and questions."""

import contextlib
import itertools
import typing

import torch
from transformers import OlmoeConfig, OlmoeForCausalLM

from moebench import registry
from moebench.perft.base import AdaptedModel
from moebench.perft.base_model import describe
from moebench.perft.questions import Encoded
from moebench.setting import prepare
from moebench.spec.adapters import VARIANTS, AdapterRunSpec, AdapterSpec, FinetuningSpec

VOCAB_SIZE = 20
SAMPLE = {"num_adapters": 4, "top_k": 2}


def olmoe(num_layers=2, hidden_size=8, num_experts=4, width=8, experts="grouped_mm"):
    torch.manual_seed(7)
    config = OlmoeConfig(
        vocab_size=VOCAB_SIZE,
        hidden_size=hidden_size,
        intermediate_size=width,
        num_hidden_layers=num_layers,
        num_attention_heads=2,
        num_experts=num_experts,
        num_experts_per_tok=2,
        initializer_range=0.5,
        max_position_embeddings=64,
        pad_token_id=None,
        eos_token_id=None,
    )
    return OlmoeForCausalLM._from_config(config, experts_implementation=experts)


def tiny_base(model=None, identity="tiny", **sizes):
    model = (model or olmoe(**sizes)).eval().requires_grad_(False)
    return describe(model, prepare("cpu", "float32", 1), identity)


def options(variant):
    """Every combination of the options that can be listed; numbers are taken from SAMPLE."""
    axes = {}
    for name, field in registry.options(VARIANTS, variant).model_fields.items():
        kind = field.annotation
        if kind is bool:
            axes[name] = [False, True]
        elif typing.get_origin(kind) is typing.Literal:
            axes[name] = list(typing.get_args(kind))
        elif field.is_required():
            axes[name] = [SAMPLE[name]]
    for values in itertools.product(*axes.values()):
        yield dict(zip(axes, values, strict=True))


def spec_of(variant, rank=3, **given):
    return AdapterSpec(variant=variant, rank=rank, **given)


def every_arm():
    """All variants with all their options, and both inner blocks where a variant has the choice."""
    base = tiny_base()
    for variant in registry.names(VARIANTS):
        usual = next(options(variant))
        for given in options(variant):
            for inner in ("lora", "parallel") if given == usual else ("lora",):
                spec = spec_of(variant, options=given, inner=inner)
                with contextlib.suppress(ValueError):  # attention has but one inner block
                    AdaptedModel(base, spec)
                    yield spec


def label(value):
    if not isinstance(value, AdapterSpec):
        return None
    told = [f"{key}={option}" for key, option in value.options.items() if key not in SAMPLE]
    return "-".join([value.variant, value.inner, *told])


def stirred(model):
    """The model after its adapters were moved away from where they add nothing."""
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in model.adapter_parameters().values():
            parameter += 0.3 * torch.randn_like(parameter)
    return model


def ids(*shape):
    return torch.randint(VOCAB_SIZE, shape)


def run_spec(adapter=None, seed=0, **finetuning):
    usual = {
        "num_steps": 12,
        "batch_size": 4,
        "cutoff": 16,
        "learning_rate": 1e-2,
        "warmup_steps": 2,
        "dtype": "float32",
        "device": "cpu",
        "eval_every": 6,
        "checkpoint_every": 4,
    }
    return AdapterRunSpec(
        base="tiny",
        data="made",
        seed=seed,
        adapter=adapter or spec_of("single"),
        finetuning=FinetuningSpec(**usual | finetuning),
    )


def questions(number=24):
    """The answer is the first token of the question, twice; questions differ in length."""
    made = []
    for index in range(number):
        first = index % (VOCAB_SIZE - 2) + 2
        prompt = [first, *([1] * (index % 3 + 1))]
        made.append(Encoded(ids=[*prompt, first, first], num_prompt=len(prompt)))
    return made


def as_numbers(rows):
    """Rows without what differs from run to run."""
    volatile = ("step_s", "wall_s", "peak_resident_bytes", "peak_allocated_bytes")
    return [
        (row.kind, {key: value for key, value in row.values.items() if key not in volatile})
        for row in rows
    ]
