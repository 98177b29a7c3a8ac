"""Adapters in a file of their own, without the base model, but with its digest."""

import json
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from moebench import records
from moebench.perft.base import AdaptedModel
from moebench.perft.base_model import BaseModel
from moebench.spec.adapters import AdapterSpec

_ABOUT = "moebench"


def save_adapter(model: AdaptedModel, path: str | Path) -> None:
    """Write all that was added to the base model, as safetensors."""
    assert model.spec is not None
    values = {name: p.detach().cpu().contiguous() for name, p in model.adapter_parameters().items()}
    about = {"base": model.base.identity, "adapter": model.spec.model_dump()}
    # One entry only: safetensors writes several in any order, and equal runs must give equal files.
    metadata = {_ABOUT: json.dumps(about, sort_keys=True)}
    records.write_bytes(save(values, metadata=metadata), path)


def load_adapter(path: str | Path, base: BaseModel) -> AdaptedModel:
    """The base model with the adapters of a file on it.

    ValueError for a file that holds no adapters of ours, or adapters of another base model.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            values = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path}: not a file of adapters ({error}); name another") from None
    if _ABOUT not in metadata:
        raise ValueError(f"{path}: not a file of adapters of ours; name one that finetuning wrote")
    about = json.loads(metadata[_ABOUT])
    if about["base"] != base.identity:
        raise ValueError(
            f"{path}: its adapters belong to base model {about['base'][:12]}, and this one is "
            f"{base.identity[:12]}; load that base model, or finetune on this one"
        )
    model = AdaptedModel(base, AdapterSpec(**about["adapter"]))
    model.load_adapter_parameters(values)
    return model.eval()
