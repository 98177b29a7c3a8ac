"""Weights that depend on a seed alone, so that every layout can draw its own share of them.

Shapes: F features, H hidden units, O outputs, E experts.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from moebench.parallel.network import Network

_GATE, _EXPERT, _INPUT = range(3)  # streams of random numbers under one seed
_DRAWN_AT_ONCE = 64  # rows: in double precision they hardly add to a rank's peak memory


@dataclass(frozen=True, kw_only=True)
class Weights:
    """The network's parameters, made when asked for: no rank ever holds those of others.

    Matrices are normal with variance 1 / fan-in and biases with variance 1/100, none of them zero,
    so that a forgotten or doubled bias shows. ``gate_bias_E`` is added to the gate's bias: with it
    a routing is forced, see ``moebench.parallel.oracle``.
    """

    network: Network
    seed: int = 0
    dtype: torch.dtype = torch.float32
    device: torch.device = torch.device("cpu")
    gate_bias_E: Sequence[float] | None = None

    def gate(self) -> tuple[Tensor, Tensor]:
        """Matrix (E, F) and bias (E,) of the gate."""
        E, F = self.network.num_experts, self.network.feature_dim
        draw = self._stream(_GATE)
        w_EF, b_E = self._matrix(draw, E, F), self._bias(draw, E)
        if self.gate_bias_E is not None:
            b_E += torch.tensor(self.gate_bias_E, dtype=self.dtype, device=self.device)
        return w_EF, b_E

    def expert(self, expert: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Matrices and biases of one expert: (H, F), (H,), (H, O), (O,)."""
        network, draw = self.network, self._stream(_EXPERT, expert)
        H, F, O = network.hidden_dim, network.feature_dim, network.output_dim  # noqa: E741
        w_in_HF, b_in_H = self._matrix(draw, H, F), self._bias(draw, H)
        w_out_HO = self._matrix(draw, O, H).T.contiguous()
        return w_in_HF, b_in_H, w_out_HO, self._bias(draw, O)

    def inputs(self, batch_size: int, seed: int = 0) -> Tensor:
        """A batch of standard normal inputs, shape (batch_size, F), the same on every rank."""
        draw = self._stream(_INPUT, seed)
        return self._normal(draw, batch_size, self.network.feature_dim)

    def _stream(self, *numbers: int) -> torch.Generator:
        mixed = 0
        for number in (self.seed, *numbers):
            mixed = (mixed * 1_000_003 + number + 1) % 2**63
        return torch.Generator().manual_seed(mixed)

    def _normal(self, draw: torch.Generator, *shape: int, scale: float = 1.0) -> Tensor:
        """Drawn in float64 on the CPU, so that every number type and device gets the same."""
        drawn = torch.empty(*shape, device=self.device, dtype=self.dtype)
        for some in drawn.split(_DRAWN_AT_ONCE):
            some.copy_(scale * torch.randn(some.shape, generator=draw, dtype=torch.float64))
        return drawn

    def _matrix(self, draw: torch.Generator, fan_out: int, fan_in: int) -> Tensor:
        return self._normal(draw, fan_out, fan_in, scale=1 / math.sqrt(fan_in))

    def _bias(self, draw: torch.Generator, size: int) -> Tensor:
        return self._normal(draw, size, scale=0.1)
