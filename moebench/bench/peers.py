"""What a MoE layer is measured against: equal work without routing, and other people's experts."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from moebench.bench.turns import Arm
from moebench.moe import MoELayer
from moebench.routers.base import Routing
from moebench.spec import ModelSpec, RunSpec, TrainingSpec

M = TypeVar("M", bound=nn.Module)

# transformers' experts have three matrices where ours have two, so theirs are two thirds as wide.
_WIDTH_MULTIPLE = 8


@dataclass(frozen=True, kw_only=True)
class Size:
    """The shape of a layer: T tokens, D width, E experts, K a token, and m in F = m * D."""

    num_tokens: int
    dim: int
    num_experts: int
    top_k: int = 2
    ffn_mult: int = 4

    @property
    def olmoe_width(self) -> int:
        """Hidden width of a three-matrix expert with the FLOPs of one of ours, nearly."""
        return _WIDTH_MULTIPLE * round(2 / 3 * self.ffn_mult * self.dim / _WIDTH_MULTIPLE)


class Peers:
    """Our layer and its peers at one size, on one input and with one routing."""

    def __init__(self, size: Size, seed: int = 0):
        torch.manual_seed(seed)
        self.size = size
        T, D = size.num_tokens, size.dim
        self.x_BSD = torch.randn(1, T, D, requires_grad=True)
        self.grad_TD = torch.randn(T, D)
        self.token_id_BS = torch.zeros(1, T, dtype=torch.long)
        self.moe = _drawn(MoELayer(_spec(size), torch.ones(1)))
        F = size.ffn_mult * D
        self.dense = _drawn(_Matrices(1, D, size.top_k * F))
        self.separate = _drawn(_Matrices(size.num_experts, D, F))
        self.olmoe = {how: _drawn(_olmoe(size, how)) for how in ("grouped_mm", "eager")}
        with torch.no_grad():
            routing: Routing = self.moe(self.x_BSD, self.token_id_BS).kept
        self.index_TK = routing.expert_N.view(T, -1)
        self.weight_TK = routing.weight_N.view(T, -1).requires_grad_()
        self.routing = replace(routing, weight_N=self.weight_TK.view(-1))
        self.rows_E = [
            self.x_BSD[0, routing.token_N[routing.expert_N == e]].detach().requires_grad_()
            for e in range(size.num_experts)
        ]

    def forward(self) -> dict[str, Arm]:
        """Forward passes with nothing kept for a backward pass."""
        return {name: Arm(run=torch.no_grad()(run)) for name, run in self._runs().items()}

    def forward_backward(self) -> dict[str, Arm]:
        """Forward and backward passes; gradients of input, gate weights and all matrices."""

        def both(run: Callable[[], Tensor | list[Tensor]]) -> Callable[[], None]:
            def step() -> None:
                y = run()
                grad = [self.grad_TD[: len(each)] for each in y] if isinstance(y, list) else None
                torch.autograd.backward(y, self.grad_TD if grad is None else grad)

            return step

        return {name: Arm(run=both(run), tidy=self._forget) for name, run in self._runs().items()}

    def _runs(self) -> dict[str, Callable[[], Tensor | list[Tensor]]]:
        return {
            "moe": lambda: self.moe(self.x_BSD, self.token_id_BS).y_BSD[0],
            "experts": self._our_experts,
            "dense": lambda: self.dense([self.x_BSD[0]])[0],
            "separate": lambda: self.separate(self.rows_E),
            "olmoe_grouped": lambda: self._olmoe_answer("grouped_mm"),
            "olmoe_eager": lambda: self._olmoe_answer("eager"),
        }

    def _our_experts(self) -> Tensor:
        """Dispatch and experts alone, with the routing given to them as it is to transformers'."""
        return self.moe.dispatch(self.x_BSD[0], self.routing, self.moe.experts)

    def _olmoe_answer(self, implementation: str) -> Tensor:
        """Their experts, with our routing given to them."""
        y_TD: Tensor = self.olmoe[implementation](self.x_BSD[0], self.index_TK, self.weight_TK)
        return y_TD

    def _forget(self) -> None:
        modules = [self.moe, self.dense, self.separate, *self.olmoe.values()]
        for tensor in [self.x_BSD, self.weight_TK, *self.rows_E]:
            tensor.grad = None
        for module in modules:
            module.zero_grad(set_to_none=True)


class _Matrices(nn.Module):
    """Pairs of GEMMs with a GELU between, in the plainest way; no gate, no gather, no sum."""

    def __init__(self, num_pairs: int, dim: int, hidden: int):
        super().__init__()
        self.w_in = nn.ParameterList(torch.empty(dim, hidden) for _ in range(num_pairs))
        self.w_out = nn.ParameterList(torch.empty(hidden, dim) for _ in range(num_pairs))

    def forward(self, rows_E: list[Tensor]) -> list[Tensor]:
        """Answers of each pair to rows that are already its own."""
        return [
            functional.gelu(rows @ w_in) @ w_out
            for rows, w_in, w_out in zip(rows_E, self.w_in, self.w_out, strict=True)
        ]


def _spec(size: Size) -> RunSpec:
    model = ModelSpec(
        dim=size.dim,
        num_heads=1,
        num_experts=size.num_experts,
        top_k=size.top_k,
        ffn_mult=size.ffn_mult,
        drop_policy="none",
    )
    return RunSpec(
        experiment="bench",
        router="softk",
        router_options={},
        seed=0,
        corpus="random",
        tokenizer="char",
        model=model,
        training=TrainingSpec(device="cpu", dtype="float32"),
    )


def _olmoe(size: Size, implementation: str) -> nn.Module:
    from transformers import OlmoeConfig
    from transformers.models.olmoe.modeling_olmoe import OlmoeExperts

    config = OlmoeConfig(
        hidden_size=size.dim,
        intermediate_size=size.olmoe_width,
        num_experts=size.num_experts,
        num_experts_per_tok=size.top_k,
    )
    config._experts_implementation = implementation
    experts: nn.Module = OlmoeExperts(config)
    return experts


def _drawn(module: M) -> M:
    """The module with every matrix drawn from a normal law."""
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.02)
    return module
