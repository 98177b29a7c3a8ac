"""Expert-parallel training: each rank holds some experts of every layer, and tokens travel.

All else is as in data-parallel training. A rank holds, trains and clips only its own experts; their
gradients come from the tokens of all ranks already, so nothing of them is exchanged. For scoring
and for checkpoints, which are those of one process, the first rank has them all for a while.

Shapes: W ranks; T tokens of this rank, D width, N assignments, E experts, L of them on this rank.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from moebench.dispatch.base import Dispatch, Experts
from moebench.lm.model import LanguageModel
from moebench.moe import MoELayer
from moebench.parallel.communicators.base import Communicator
from moebench.parallel.exchange import Exchange, expert_of_rows
from moebench.routers.base import Routing

_STATE = ("exp_avg", "exp_avg_sq", "step")  # what AdamW keeps of a parameter


class Exchanged(Dispatch):
    """Sends each assignment to the rank of its expert, where the model's own dispatch answers."""

    def __init__(self, communicator: Communicator, num_experts: int, own: Dispatch):
        self.exchange = Exchange(communicator, num_experts)
        self.own = own

    def __call__(self, x_TD: Tensor, routing: Routing, experts: Experts) -> Tensor:
        """Mix the experts of each token; all ranks must call this."""
        routing = routing.served()
        order_N = routing.expert_N.argsort(stable=True)
        token_N = routing.token_N[order_N]
        held = experts.part(self.exchange.own)

        def answer(x_ND: Tensor, come_WL: list[list[int]]) -> Tensor:
            if not come_WL[0]:  # no expert is here, so no row comes
                return x_ND
            expert_N = expert_of_rows(come_WL, x_ND.device)
            return self.own(x_ND, each_once(expert_N, len(held.w_in), x_ND), held)

        load: list[int] = routing.load_E().tolist()
        y_ND = self.exchange.answers(x_TD[token_N], load, answer)
        y_ND = y_ND * routing.weight_N[order_N].unsqueeze(1)
        return y_ND.new_zeros(x_TD.shape).index_add(0, token_N, y_ND)


def each_once(expert_N: Tensor, num_experts: int, x_ND: Tensor) -> Routing:
    """Routing of rows that go to one expert each, with weight 1."""
    N = len(expert_N)
    return Routing(
        token_N=torch.arange(N, device=expert_N.device),
        expert_N=expert_N,
        weight_N=torch.ones(N, dtype=x_ND.dtype, device=x_ND.device),
        num_tokens=N,
        num_experts=num_experts,
        num_requested=N,
        balance_loss=x_ND.new_zeros(()),
    )


@dataclass(frozen=True, kw_only=True)
class _Matrix:
    """A matrix of one expert, which one rank holds; elsewhere it has no rows."""

    parameter: nn.Parameter
    owner: int
    shape: torch.Size


class Shards:
    """The experts of a model, shared out over ranks; none of them in the layout ``replicated``."""

    def __init__(self, model: LanguageModel, communicator: Communicator, layout: str):
        self.communicator = communicator
        self.model = model
        is_spread = layout == "expert" and communicator.world_size > 1
        self.layers = model.moe_layers() if is_spread else []
        for layer in self.layers:
            num_experts = len(layer.experts.w_in)
            layer.dispatch = Exchanged(communicator, num_experts, layer.dispatch)
        self._matrices = [each for layer in self.layers for each in _matrices(layer)]
        self._let_go()
        of_experts = {id(each.parameter) for each in self._matrices}
        self.shared = [each for each in model.parameters() if id(each) not in of_experts]

    @property
    def held(self) -> list[nn.Parameter]:
        """The matrices of this rank's experts; none where all ranks hold all."""
        return [each.parameter for each in self._matrices if self._is_own(each)]

    def average_gradients(self) -> None:
        """Make the gradients of own experts, which are sums over ranks, the means."""
        for each in self.held:
            each.grad = torch.zeros_like(each) if each.grad is None else each.grad
            each.grad /= self.communicator.world_size

    def clip(self, max_norm: float) -> Tensor:
        """Clip by the norm of the gradient of the whole model, and return it."""
        if not self.layers:
            return nn.utils.clip_grad_norm_(self.model.parameters(), max_norm)
        shared = get_total_norm([each.grad for each in self.shared if each.grad is not None])
        own = get_total_norm([each.grad for each in self.held if each.grad is not None])
        squares = self.communicator.all_reduce(own.to(shared).square())
        norm = (shared.square() + squares).sqrt()
        clip_grads_with_norm_([*self.shared, *self.held], max_norm, norm)
        return norm

    @contextlib.contextmanager
    def whole(self, optimiser: torch.optim.Optimizer | None = None) -> Iterator[None]:
        """The first rank has all experts for a while, and what an optimiser keeps of them."""
        exchanged = [layer.dispatch for layer in self.layers]
        for layer, dispatch in zip(self.layers, exchanged, strict=True):
            assert isinstance(dispatch, Exchanged)
            layer.dispatch = dispatch.own
        for each in self._matrices:
            self._collect(each, optimiser)
        try:
            yield
        finally:
            self._let_go(optimiser)
            for layer, dispatch in zip(self.layers, exchanged, strict=True):
                layer.dispatch = dispatch

    @contextlib.contextmanager
    def room(self, optimiser: torch.optim.Optimizer) -> Iterator[None]:
        """Room for all experts on every rank, to read a whole state; own ones are kept of it."""
        for each in self._matrices:
            each.parameter.data = each.parameter.new_empty(each.shape)
        yield
        self._let_go(optimiser)

    def _is_own(self, matrix: _Matrix) -> bool:
        return matrix.owner == self.communicator.rank

    def _collect(self, matrix: _Matrix, optimiser: torch.optim.Optimizer | None) -> None:
        """Bring a matrix to the first rank."""
        parameter = matrix.parameter
        parts = {"value": parameter.data}
        if optimiser is not None and self._is_own(matrix):
            parts |= {key: optimiser.state[parameter][key] for key in _STATE}
        elif optimiser is not None:
            parts |= dict.fromkeys(_STATE, parameter.data)
            parts["step"] = torch.empty((), device=parameter.device)
        for key, own in parts.items():
            shape = own.shape if key == "step" else matrix.shape
            sent = own if self._is_own(matrix) else own.new_empty(shape)
            parts[key] = self.communicator.broadcast(sent.contiguous(), matrix.owner)
        if self.communicator.rank == 0:
            parameter.data = parts.pop("value")
            if optimiser is not None:
                optimiser.state[parameter] = parts

    def _let_go(self, optimiser: torch.optim.Optimizer | None = None) -> None:
        """Keep nothing of the experts of other ranks."""
        for each in self._matrices:
            if not self._is_own(each):
                each.parameter.requires_grad_(False)
                each.parameter.data = each.parameter.new_empty(0, each.shape[1])
                if optimiser is not None:
                    optimiser.state.pop(each.parameter, None)


def _matrices(layer: MoELayer) -> Iterator[_Matrix]:
    assert isinstance(layer.dispatch, Exchanged)
    for owner, experts in enumerate(layer.dispatch.exchange.held):
        for expert in experts:
            for parameter in (layer.experts.w_in[expert], layer.experts.w_out[expert]):
                yield _Matrix(parameter=parameter, owner=owner, shape=parameter.shape)
