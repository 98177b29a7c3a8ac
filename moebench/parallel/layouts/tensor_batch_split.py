"""Tensor parallel with the batch split as well: rows are gathered, answers are summed."""

import torch
from torch import Tensor

from moebench.parallel.differentiable import all_rows, own_rows, summed
from moebench.parallel.experts import Routing
from moebench.parallel.footprint import gate_numbers
from moebench.parallel.layouts.base import Memory, Traffic
from moebench.parallel.layouts.tensor import TensorParallel
from moebench.parallel.network import Cell, share, share_sizes
from moebench.parallel.trace import Message


class TensorBatchSplit(TensorParallel):
    """Each rank routes its own rows and then needs the hidden units that the other ranks hold.

    The published variant had each rank multiply *its* rows by *its* columns and gathered the
    results by columns. A row of that is no answer: its first columns come from one sample and its
    last ones from another, and no rank has multiplied the first sample by the last columns. Either
    weights or rows must be gathered before the product. Here rows are, with their routing, as in
    sequence parallelism (arXiv:2205.05198, section 4.2).
    """

    is_distributed = True

    def forward(self, x_BF: Tensor) -> Tensor:
        """Route own rows, gather all, mix this rank's share, and sum up."""
        group = self.communicator
        num_rows = share_sizes(len(x_BF), group.world_size)
        x_NF, gate_EF, gate_bias_E = own_rows(group, x_BF, num_rows, self.gate_EF, self.gate_bias_E)
        own = self._route(x_NF, gate_EF, gate_bias_E)
        # Numbers of experts travel as floats, which hold them exactly up to 2**24.
        row_NC = torch.cat([x_NF, own.weight_BK, own.expert_BK.to(x_NF.dtype)], dim=1)
        self.trace.mark("dispatch")
        row_BC = all_rows(group, row_NC, num_rows, is_partial=True)
        K = self.network.top_k
        x_BF, weight_BK, expert_BK = row_BC.split_with_sizes([x_BF.shape[1], K, K], dim=1)
        routing = Routing(expert_BK.long(), weight_BK)
        return summed(group, self.experts.mix(x_BF, routing, self.trace))

    @classmethod
    def communication(cls, cell: Cell, rank: int, expert_BK: Tensor) -> Traffic:
        """Own rows with routing, and the output; backward all gathered rows, own rows, the gate."""
        W, network = cell.world_size, cell.network
        if W == 1:
            return Traffic(forward=[], backward=[])
        F, K, size = network.feature_dim, network.top_k, cell.itemsize
        N, B = len(share(cell.batch_size, W, rank)), cell.batch_size
        return Traffic(
            forward=[
                Message("all_gather", size * N * (F + 2 * K), W),
                Message("all_reduce", size * B * network.output_dim, W),
            ],
            backward=[
                Message("reduce_scatter", size * B * (F + 2 * K), W),
                Message("all_gather", size * N * F, W),
                Message("all_reduce", size * gate_numbers(network), W),
            ],
        )

    @classmethod
    def memory(cls, cell: Cell, rank: int, expert_BK: Tensor) -> Memory:
        """As ``tensor``, with less routing, and with the rows sent and received."""
        whole = super().memory(cell, rank, expert_BK)
        network, W = cell.network, cell.world_size
        N, K = len(share(cell.batch_size, W, rank)), network.top_k
        per_row = cell.itemsize * (network.num_experts + K + 2 * K) + 8 * K
        gathered = cell.itemsize * (network.feature_dim + 2 * K)
        return Memory(
            weights_bytes=whole.weights_bytes,
            activations_bytes=whole.activations_bytes - (cell.batch_size - N) * per_row,
            buffers_bytes=(N + (cell.batch_size if W > 1 else 0)) * gathered,
        )
