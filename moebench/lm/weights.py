"""Weights of a finished model, on disk, with the spec of the run that made them."""

from pathlib import Path

import torch

from moebench import records
from moebench.lm.model import LanguageModel
from moebench.spec import RunSpec


def write(model: LanguageModel, path: Path) -> None:
    """Write a model's parameters and buffers; the file is absent, old or whole."""
    with records.whole(path) as file:
        torch.save({"spec": model.spec.model_dump(), "model": model.state_dict()}, file)


def read(model: LanguageModel, path: Path) -> None:
    """Give a model the weights of a file; ValueError where they are of another run."""
    saved = torch.load(path, map_location="cpu", weights_only=True)
    differing = _differing(saved["spec"], model.spec)
    if differing:
        raise ValueError(
            f"{path}: weights of another run, which differs in {', '.join(differing)}; "
            "delete the file and train again"
        )
    model.load_state_dict(saved["model"])


def _differing(found: dict[str, object], wanted: RunSpec) -> list[str]:
    """Keys of a run's spec in which the two differ."""
    asked = wanted.model_dump()
    return [key for key in asked if found.get(key) != asked[key]]
