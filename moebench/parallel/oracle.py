"""Every layout against the single process, in float64, before anything is timed."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from moebench import registry
from moebench.parallel.communicators.base import Alone, Communicator
from moebench.parallel.layouts.base import Layout
from moebench.parallel.network import Network, share
from moebench.parallel.weights import Weights

# Sums of some thousand products in float64, in another order, agree to about 1e-13 of their size.
TOLERANCE = 1e-10
_SWAY = 12.0  # added to a gate's bias, far more than logits differ by themselves


class LayoutDiffers(ValueError):
    """A layout does not compute what the single process computes."""


def check(
    names: Sequence[str],
    network: Network,
    batch_size: int,
    communicator: Communicator,
    routings: Sequence[str] = ("natural",),
) -> None:
    """Compare output and gradients of layouts with those of ``single``; all ranks must call it.

    Raises LayoutDiffers on every rank, naming layout, routing and tensor, where any rank differs.
    """
    for routing in routings:
        weights = Weights(
            network=network,
            dtype=torch.float64,
            device=communicator.device,
            gate_bias_E=ROUTINGS[routing](network, communicator.world_size),
        )
        wanted = answers(registry.load(Layout, "single")(weights, Alone()), batch_size)
        for name in names:
            layout = registry.load(Layout, name)(weights, communicator)
            found = differences(answers(layout, batch_size), wanted)
            _refuse(f"layout {name!r}, routing {routing!r}, {network}", found, communicator)


def answers(layout: Layout, batch_size: int) -> dict[str, Tensor]:
    """Output, and gradients of the input and of every parameter, of one pass over a batch."""
    weights = layout.weights
    x_BF = weights.inputs(batch_size).requires_grad_()
    layout.zero_grad()
    y_BO = layout.forward(x_BF)
    slope_BO = torch.linspace(-1, 1, y_BO.numel(), dtype=y_BO.dtype, device=y_BO.device)
    torch.autograd.backward(y_BO, slope_BO.view_as(y_BO))
    assert x_BF.grad is not None, "the output depends on the input"
    return {"output": y_BO.detach(), "input": x_BF.grad, **layout.gradients()}


def differences(got: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, float]:
    """Largest difference in each tensor, relative to its largest number or, if that is less, 1."""
    assert got.keys() == wanted.keys(), f"{sorted(got)} are not {sorted(wanted)}"
    return {
        name: float((got[name] - tensor).abs().max() / tensor.abs().max().clamp(min=1))
        for name, tensor in wanted.items()
    }


def _refuse(what: str, found: Mapping[str, float], communicator: Communicator) -> None:
    own_1T = torch.tensor([list(found.values())], dtype=torch.float64, device=communicator.device)
    all_WT = communicator.all_gather(own_1T, [1] * communicator.world_size)
    for rank, differences_T in enumerate(all_WT.tolist()):
        for name, difference in zip(found, differences_T, strict=True):
            if not difference <= TOLERANCE:
                raise LayoutDiffers(
                    f"{what}: {name} on rank {rank} differs from 'single' by {difference:.1e}, "
                    f"allowed {TOLERANCE:.0e}; do not trust times of this layout here"
                )


def _favour_first(network: Network, world_size: int) -> list[float]:
    """All rows to the same top_k experts."""
    return _bias(network, range(network.top_k), _SWAY)


def _favour_one(network: Network, world_size: int) -> list[float]:
    """All rows to one expert, and each to others of its own choice."""
    return _bias(network, range(network.num_experts - 1, network.num_experts), _SWAY)


def _starve_one(network: Network, world_size: int) -> list[float]:
    """No row to the first expert, unless all experts are chosen."""
    return _bias(network, range(1), -_SWAY)


def _starve_rank(network: Network, world_size: int) -> list[float]:
    """No row to the experts of the second rank, where the others have enough of them."""
    return _bias(network, share(network.num_experts, world_size, min(1, world_size - 1)), -_SWAY)


def _bias(network: Network, experts: range, bias: float) -> list[float]:
    return [bias if expert in experts else 0.0 for expert in range(network.num_experts)]


ROUTINGS: dict[str, Callable[[Network, int], list[float] | None]] = {
    "natural": lambda network, world_size: None,
    "same_experts": _favour_first,
    "one_expert": _favour_one,
    "starved_expert": _starve_one,
    "starved_rank": _starve_rank,
}
