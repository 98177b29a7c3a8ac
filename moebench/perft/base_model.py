"""A frozen base model from a folder in Hugging Face format: ours, the hub's, or the user's own."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM

from moebench import provenance
from moebench.perft.adapters.base import Shape
from moebench.setting import Setting


class BaseModelError(ValueError):
    """The base model cannot be had, or is none that these adapters fit."""


@dataclass(frozen=True, kw_only=True)
class BaseModel:
    """A causal language model whose blocks are all mixtures, with nothing left to train."""

    model: nn.Module
    setting: Setting  # device and number type of the weights
    identity: str  # digest of its configuration and weights
    shape: Shape
    num_params: int
    num_active_params: int  # those that one token meets: top_k of the experts, and the rest

    @property
    def num_layers(self) -> int:
        """Decoder layers."""
        return len(layers_of(self.model))

    @property
    def vocab_size(self) -> int:
        """Token ids that the model knows are below this."""
        return int(self.model.config.vocab_size)  # type: ignore[union-attr, arg-type]


def load_base(folder: str | Path, setting: Setting, identity: str | None = None) -> BaseModel:
    """Load and freeze a model, in the setting's number type, on its device.

    ``identity``: what ``identify`` said of the folder, where that is known already. BaseModelError
    for a folder that holds no model, or one whose blocks are not mixtures.
    """
    folder = Path(folder)
    config = _mixture_config(folder)
    # Grouped products need rows of a multiple of 16 bytes; transformers' loop takes any.
    is_even = config.hidden_size % 8 == config.intermediate_size % 8 == 0
    model: Any = AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=setting.dtype,
        local_files_only=True,
        use_safetensors=True,
        experts_implementation="grouped_mm" if is_even else "eager",
    )
    model = model.to(setting.device).eval().requires_grad_(False)
    return describe(model, setting, identity or identify(folder))


def describe(model: nn.Module, setting: Setting, identity: str) -> BaseModel:
    """A model that is loaded already, with what adapters and accounts need to know of it."""
    first: Any = layers_of(model)[0]
    shape = Shape(
        hidden_size=first.mlp.gate.weight.shape[1],
        num_experts=first.mlp.gate.weight.shape[0],
        top_k=first.mlp.gate.top_k,
        query_size=first.self_attn.q_proj.out_features,
        value_size=first.self_attn.v_proj.out_features,
    )
    num_params = sum(p.numel() for p in model.parameters())
    in_experts = sum(p.numel() for layer in layers_of(model) for p in _experts(layer).parameters())
    unused = in_experts * (shape.num_experts - shape.top_k) // shape.num_experts
    return BaseModel(
        model=model,
        setting=setting,
        identity=identity,
        shape=shape,
        num_params=num_params,
        num_active_params=num_params - unused,
    )


def identify(folder: str | Path) -> str:
    """Digest of a folder's configuration and weights; reads every byte of them."""
    files = [Path(folder) / "config.json", *sorted(Path(folder).glob("*.safetensors"))]
    return provenance.json_digest({file.name: provenance.file_digest(file) for file in files})


def layers_of(model: Any) -> nn.ModuleList:
    """The decoder layers."""
    layers: nn.ModuleList = model.model.layers
    return layers


def _experts(layer: Any) -> nn.Module:
    experts: nn.Module = layer.mlp.experts
    return experts


def _mixture_config(folder: Path) -> Any:
    """A folder's configuration; before a weight is read, what is no mixture is refused."""
    if not (folder / "config.json").is_file():
        raise BaseModelError(
            f"{folder}: holds no config.json; name a folder in Hugging Face format"
        )
    if not any(folder.glob("*.safetensors")):
        raise BaseModelError(f"{folder}: holds no *.safetensors; save the model in that format")
    config = AutoConfig.from_pretrained(folder, local_files_only=True)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
    plain = [index for index, layer in enumerate(layers_of(model)) if not _is_mixture(layer)]
    if plain:
        raise BaseModelError(
            f"{folder}: {config.model_type!r} is no mixture of experts in layer {plain[0]}; "
            "name a model with experts in every layer, such as an OLMoE"
        )
    return config


def _is_mixture(layer: Any) -> bool:
    block = getattr(layer, "mlp", None)
    return hasattr(block, "experts") and hasattr(getattr(block, "gate", None), "top_k")
