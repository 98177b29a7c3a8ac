"""Scores of a model on all of the held-out text, and what its routers did there.

Shapes: B sequences of S tokens, N of them in all, K documents, L layers with a mixture of experts,
E experts.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from moebench.analysis.load import load_cv, max_vio, num_dead
from moebench.analysis.rates import bits_per_byte, perplexity
from moebench.lm.data import Tokens
from moebench.lm.model import LanguageModel
from moebench.moe import LayerOutput
from moebench.setting import Setting

Values = dict[str, Any]


@torch.no_grad()
def score(model: LanguageModel, tokens: Tokens, setting: Setting, batch_size: int) -> Values:
    """Negative log-likelihood of every held-out token, each scored once, and routing statistics."""
    model.eval()
    layers = model.moe_layers()
    watch = RoutingWatch(len(layers), learned=all(layer.router.learned for layer in layers))
    token_K = torch.bincount(tokens.document_N)
    total_K = torch.zeros(len(token_K), dtype=torch.float64)
    for place_BS in tokens.validation_places(batch_size, model.spec.training.seq_len):
        input_BS, target_BS = tokens.validation_at(place_BS)
        with setting.autocast():
            out = model(input_BS.to(setting.device))
        nll_BS = functional.cross_entropy(
            out.logits_BSV.transpose(1, 2).float(), target_BS.to(setting.device), reduction="none"
        )
        document_N = tokens.document_N[place_BS].flatten()
        total_K.index_add_(0, document_N, nll_BS.double().cpu().flatten())
        watch.add([layer for layer in out.layers if layer.choice is not None])
    num_tokens = int(token_K.sum())
    nll_nats = total_K.sum().item() / num_tokens
    if not math.isfinite(nll_nats):
        raise ValueError(
            f"the held-out loss is {nll_nats}: training diverged; lower training.learning_rate"
        )
    return {
        "val_nll_nats": nll_nats,
        "val_ppl": perplexity(nll_nats),
        "val_bits_per_byte": bits_per_byte(total_K.sum().item(), tokens.num_validation_bytes),
        "val_num_tokens": num_tokens,
        "val_nll_document_nats": (total_K / token_K).tolist(),
        "val_document_tokens": token_K.tolist(),
        **watch.summary(),
    }


class RoutingWatch:
    """Adds up, batch by batch and layer by layer, what the routers requested and what was kept."""

    def __init__(self, num_layers: int, *, learned: bool):
        self.num_layers = num_layers
        self.learned = learned
        self._sums_L: dict[str, list[float]] = defaultdict(lambda: [0.0] * num_layers)
        self._load_LE: dict[str, list[Tensor]] = {}
        self._num_tokens = 0

    def add(self, layers: Sequence[LayerOutput]) -> None:
        """Count one batch: one output for each layer."""
        assert len(layers) == self.num_layers
        for index, layer in enumerate(layers):
            assert layer.kept is not None
            assert layer.requested is not None
            assert layer.logits_TE is not None
            num_tokens = layer.kept.num_tokens
            kept_E, requested_E = layer.kept.load_E().cpu(), layer.requested.load_E().cpu()
            sums = {
                "requested": layer.requested.num_requested,
                "kept": int(kept_E.sum()),
                "unrouted": num_tokens - layer.kept.num_routed(),
                "load_cv": num_tokens * load_cv(kept_E.numpy()),
                "load_cv_routed": num_tokens * load_cv(requested_E.numpy()),
                "max_vio": num_tokens * max_vio(kept_E.numpy()),
                "max_vio_routed": num_tokens * max_vio(requested_E.numpy()),
                "entropy": _entropy_nats(layer.logits_TE),
            }
            for key, value in sums.items():
                self._sums_L[key][index] += value
            self._add_load("load_LE", index, kept_E)
            self._add_load("load_routed_LE", index, requested_E)
        self._num_tokens += layers[0].y_BSD[..., 0].numel() if layers else 0

    def _add_load(self, key: str, index: int, load_E: Tensor) -> None:
        total_LE = self._load_LE.setdefault(
            key, [torch.zeros_like(load_E) for _ in range(self.num_layers)]
        )
        total_LE[index] = total_LE[index] + load_E

    def summary(self) -> Values:
        """Per-layer values and their means; null where a model has no mixture.

        Measures of balance are means over batches, weighted by tokens: it is within a batch that
        experts fill up. Dead experts are counted on all of the text, and summed over layers.
        """
        rates_L: dict[str, list[float]] = {
            "drop_rate": [
                1 - kept / requested
                for kept, requested in zip(
                    self._sums_L["kept"], self._sums_L["requested"], strict=True
                )
            ],
            "effective_k": [total / self._num_tokens for total in self._sums_L["requested"]],
            **{
                name: [total / self._num_tokens for total in self._sums_L[key]]
                for name, key in _PER_TOKEN.items()
            },
        }
        if not self.learned:  # a gate that nothing trains has an entropy that says nothing
            rates_L["gate_entropy_nats"] = []
        means = {
            name: sum(values_L) / len(values_L) if values_L else None
            for name, values_L in rates_L.items()
        }
        per_layer = {f"{name}_L": values_L for name, values_L in rates_L.items()}
        loads = {key: [load_E.tolist() for load_E in self._load_LE[key]] for key in self._load_LE}
        asked_LE = loads.get("load_routed_LE")
        dead = None if asked_LE is None else sum(map(num_dead, asked_LE))
        return {**means, "num_dead_experts": dead, **per_layer, **loads}


# Name of a mean over tokens: name of its sum.
_PER_TOKEN = {
    "unrouted_rate": "unrouted",
    "load_cv": "load_cv",
    "load_cv_routed": "load_cv_routed",
    "max_vio": "max_vio",
    "max_vio_routed": "max_vio_routed",
    "gate_entropy_nats": "entropy",
}


def _entropy_nats(logits_TE: Tensor) -> float:
    """Entropy of the gate's distribution over all experts, summed over tokens."""
    log_prob_TE = logits_TE.double().log_softmax(dim=-1)
    return float(-(log_prob_TE.exp() * log_prob_TE).sum())
