"""The networks of one size, trained and on their device, each ready in any kernel and number type.

Shapes: B rows, D features.
"""

import contextlib
import copy
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from moebench import machine
from moebench.energy import workload
from moebench.energy.counts import Work, work
from moebench.energy.networks import Dense, Mixture, seeded
from moebench.energy.state import State
from moebench.energy.training import score
from moebench.kernels.base import Kernel
from moebench.registry import load
from moebench.spec.energy import Dtype, EnergySpec, NetworkName, WindowSpec

TORCH_DTYPES = {"f32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16}


@dataclass(frozen=True, kw_only=True)
class Ready:
    """A network in the kernel and number type of one cell, and the batches it runs on."""

    network: Dense | Mixture
    batches: list[Tensor]
    work: Work


class Loaded:
    """Holds one float32 copy of every network of a size; other copies live as long as a cell."""

    def __init__(self, spec: EnergySpec, size: str, state: State, device: torch.device):
        self.spec = spec
        self.size = size
        self.shape = spec.shape(size)
        self.device = device
        self.is_trained = size in spec.learning.sizes
        self.networks: dict[str, Dense | Mixture] = {
            name: self._network(name, state) for name in spec.networks
        }
        self._scores: dict[tuple[str, str], tuple[float, float]] = {}
        self._heldout = workload.train_and_heldout(spec.learning, spec.seed)[1]
        self.majority_share = self._heldout.majority_share()

    def ready(self, cell: WindowSpec) -> Ready:
        """The network of a cell, with batches of its size and type, and their exact work."""
        dtype = TORCH_DTYPES[cell.dtype]
        network = self._in_dtype(cell.network, dtype)
        if isinstance(network, Mixture):
            network.kernel = load(Kernel, cell.kernel)()
        drawn = workload.batches(self.spec.num_batches, cell.batch_size, self.spec.seed)
        batches = [batch.to(self.device, dtype) for batch in drawn]
        touched = []
        if isinstance(network, Mixture):
            with torch.inference_mode():
                touched = [network.num_touched(batch) for batch in batches]
        counted = work(cell.network, self.shape, cell.batch_size, cell.dtype, touched)
        return Ready(network=network, batches=batches, work=counted)

    def heldout_scores(self, name: NetworkName, dtype: Dtype) -> tuple[float, float] | None:
        """Held-out loss in nats and accuracy in a number type; None for a network not trained."""
        if not self.is_trained:
            return None
        if (name, dtype) not in self._scores:
            with precision(dtype):
                network = self._in_dtype(name, TORCH_DTYPES[dtype])
                self._scores[name, dtype] = score(network, self._heldout.to(self.device))
        return self._scores[name, dtype]

    def _in_dtype(self, name: NetworkName, dtype: torch.dtype) -> Dense | Mixture:
        network = self.networks[name]
        return network if dtype == torch.float32 else copy.deepcopy(network).to(dtype)

    def _network(self, name: NetworkName, state: State) -> Dense | Mixture:
        network = seeded(name, self.shape, self.spec.seed)
        if self.is_trained:
            weights = torch.load(state.weights(self.size, name), weights_only=True)
            network.load_state_dict(weights)
        return network.to(self.device).eval().requires_grad_(False)


@contextlib.contextmanager
def precision(dtype: Dtype) -> Iterator[None]:
    """Products of float32 matrices in TF32 where the cell says so, else in float32."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if dtype == "tf32" else "highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def is_emulated(dtype: Dtype, device: torch.device) -> bool:
    """Whether the device has no instructions for products in the number type."""
    if dtype != "bf16":
        return False
    if device.type == "cuda":
        return not torch.cuda.is_bf16_supported(including_emulation=False)
    return not machine.has_bfloat16()
