"""A base model with adapters on it: what is trained, scored, counted and saved.

Shapes: B sequences of S tokens, T = B * S, V entries of the vocabulary.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from moebench import registry
from moebench.perft.accounting import Cost, activated_share
from moebench.perft.adapters.base import Adapter
from moebench.perft.base_model import BaseModel, layers_of
from moebench.spec.adapters import AdapterSpec


@dataclass(frozen=True, kw_only=True)
class Output:
    """What a forward pass returns."""

    logits_BSV: Tensor
    balance_loss: Tensor  # scalar, summed over layers; 0 where no adapter has a router of its own


@dataclass(frozen=True, kw_only=True)
class Account:
    """What an adapted model holds, in parameters."""

    num_trainable_params: int
    num_activated_trainable_params: int  # of the trainable ones, those that one token meets
    num_base_params: int
    num_base_active_params: int
    activated_share: float  # activated trainable over the base's active ones


class AdaptedModel(nn.Module):
    """A frozen base model with adapters on every layer; without a spec, the base model as it is.

    The base model itself is left as it was: this one has modules of its own around the same
    weights, so that any number of variants share one base model in memory. Adapters are float32.
    The draw of their first values depends on ``seed`` alone.
    """

    def __init__(self, base: BaseModel, spec: AdapterSpec | None = None, seed: int = 0):
        super().__init__()
        self.base = base
        self.spec = spec
        shared = {id(parameter): parameter for parameter in base.model.parameters()}
        self.model = copy.deepcopy(base.model, memo=shared)
        self.adapters = nn.ModuleList()
        if spec is not None:
            self._attach(spec, seed)

    def _attach(self, spec: AdapterSpec, seed: int) -> None:
        torch.manual_seed(seed)
        variant = registry.load(Adapter, spec.variant)
        for layer in layers_of(self.model):
            adapter = variant(self.base.shape, spec, **spec.options)
            adapter.attach(layer)
            self.adapters.append(adapter)
        self.to(self.base.setting.device)

    def forward(self, input_BS: Tensor, is_token_BS: Tensor | None = None) -> Output:
        """Logits of the next tokens, computed in the number type of the base model's setting.

        Padding, where ``is_token_BS`` is false, must stand at the end of a sequence: attention is
        causal, so that no token sees it, and routers do not count it.
        """
        adapters = list(self._adapters())
        for adapter in adapters:
            adapter.is_token_T = None if is_token_BS is None else is_token_BS.flatten()
        with self.base.setting.autocast():
            logits_BSV = self.model(input_ids=input_BS, use_cache=False).logits
        losses = [each.balance_loss for each in adapters if each.balance_loss is not None]
        zero = torch.zeros((), device=logits_BSV.device)
        return Output(logits_BSV=logits_BSV, balance_loss=sum(losses, zero))

    def adapter_parameters(self) -> dict[str, nn.Parameter]:
        """All that was added to the base model, trained or not, by name."""
        of_base = {id(parameter) for parameter in self.base.model.parameters()}
        return {
            name: parameter
            for name, parameter in self.named_parameters()
            if id(parameter) not in of_base
        }

    def trainable_parameters(self) -> dict[str, nn.Parameter]:
        """What training changes, by name."""
        return {name: p for name, p in self.adapter_parameters().items() if p.requires_grad}

    def load_adapter_parameters(self, values: Mapping[str, Tensor]) -> None:
        """Give the adapters these values; names and shapes must be theirs."""
        parameters = self.adapter_parameters()
        assert parameters.keys() == values.keys()
        with torch.no_grad():
            for name, parameter in parameters.items():
                assert parameter.shape == values[name].shape
                parameter.copy_(values[name])

    def account(self) -> Account:
        """Parameters by the formulas of ``accounting``."""
        cost = sum((each.cost() for each in self._adapters()), Cost(trainable=0, activated=0))
        return Account(
            num_trainable_params=cost.trainable,
            num_activated_trainable_params=cost.activated,
            num_base_params=self.base.num_params,
            num_base_active_params=self.base.num_active_params,
            activated_share=activated_share(cost.activated, self.base.num_active_params),
        )

    def _adapters(self) -> list[Adapter]:
        return [each for each in self.adapters if isinstance(each, Adapter)]
