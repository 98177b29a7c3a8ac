"""Rule ``certify_router``: what a router looks at, on a toy and on a trained model."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from moebench.analysis.certificates import verdict
from moebench.lm import weights
from moebench.lm.certificate import floor, invariance, suffix
from moebench.lm.data import Tokens
from moebench.lm.model import LanguageModel
from moebench.records import Row
from moebench.setting import Setting, prepare
from moebench.spec import RunSpec

Values = dict[str, Any]


def certify(
    toys: Sequence[RunSpec],
    trained: tuple[RunSpec, Path, Tokens],
    sizes: Mapping[str, int],
    *,
    name: str,
    code: str,
) -> list[Row]:
    """Rows of one certificate: one for each toy, and one for a model that an experiment trained.

    ``trained`` is a run, the file of its weights and its tokens; ``sizes`` holds ``vocab_size``,
    ``num_trials``, ``num_batches`` and ``num_windows``. Raises ValueError for a router that looks
    at more than it declares.
    """
    rows = []
    for toy in toys:
        setting = prepare(toy.training.device, toy.training.dtype, toy.training.threads)
        values = probe_toy(toy, sizes)
        check_declaration(toy.router, values)
        rows.append(_row("toy", toy, setting, values, name, code))
    spec, file, tokens = trained
    setting = prepare(spec.training.device, spec.training.dtype, spec.training.threads)
    model = LanguageModel(spec, tokens.vocab_size, tokens.token_count_V).to(setting.device)
    weights.read(model, file)
    values = suffix.probe(model, tokens, setting, sizes["num_windows"])
    rows.append(_row("trained", spec, setting, values, name, code))
    return rows


def probe_toy(toy: RunSpec, sizes: Mapping[str, int]) -> Values:
    """Train a toy and replace what its router may look at; what it declares, and what is found."""
    tokens = floor.uniform(sizes["vocab_size"])
    model = floor.train(toy, tokens)
    leak = floor.leak(model, tokens, sizes["num_batches"])
    torch.manual_seed(toy.seed)
    trials = {"num_trials": sizes["num_trials"], "vocab_size": tokens.vocab_size}
    changes = invariance.probe_model(model, **trials)
    batch = {"num_sequences": toy.training.batch_size, "seq_len": toy.training.seq_len}
    for layer in model.moe_layers():
        own = invariance.probe_layer(layer, **batch, **trials)
        changes = {
            probe: change.or_more(changes.get(probe, invariance.Change()))
            for probe, change in own.items()
        }
    values = asdict(leak) | {"declared": str(model.causality)}
    for probe, change in changes.items():
        values[f"{probe}_output_change"] = change.output
        values[f"{probe}_routes_changed"] = change.routes
    return values


def check_declaration(router: str, values: Values) -> None:
    """Refuse a router that looks at more than it declares."""
    found, declared = verdict.found(values), values["declared"]
    if verdict.is_lie(declared, found):
        raise ValueError(
            f"router {router!r} declares to be {declared} and is {found}: with later tokens "
            f"replaced, {values['future_routes_changed']:.1%} of earlier tokens change experts, "
            f"with other sequences {values['mates_routes_changed']:.1%}, and it predicts uniform "
            f"tokens by {values['leak_nats']:.3f} nats; put its routing right, or declare it"
        )


def _row(kind: str, spec: RunSpec, setting: Setting, values: Values, name: str, code: str) -> Row:
    return Row(
        kind=kind,
        spec=spec.model_dump(),
        setting=setting.facts(code),
        values={"certificate": name, **values},
    )
