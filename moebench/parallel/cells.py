"""Cells made ready to be called: a layout with its weights, a batch, and one call of it."""

import torch

from moebench import registry
from moebench.parallel.communicators.base import Communicator
from moebench.parallel.layouts.base import Layout
from moebench.parallel.network import Cell, Network
from moebench.parallel.protocol import Arm
from moebench.parallel.weights import Weights
from moebench.setting import Setting
from moebench.spec import LayoutCellSpec


def network_cell(spec: LayoutCellSpec) -> Cell:
    """The size of a cell, without its layout."""
    network = Network(
        num_experts=spec.num_experts,
        top_k=spec.top_k,
        feature_dim=spec.feature_dim,
        hidden_dim=spec.hidden_dim,
        output_dim=spec.output_dim,
    )
    return Cell(network=network, batch_size=spec.batch_size, world_size=spec.world_size)


class Bench:
    """A cell on this rank; nothing is made on a rank that does not take part."""

    def __init__(self, cell: LayoutCellSpec, ranks: Communicator, setting: Setting):
        self.cell = cell
        self.ranks = ranks
        self.setting = setting
        kind = registry.load(Layout, cell.layout)
        self.arm = Arm(call=self.call, is_alone=not kind.is_distributed)
        if kind.is_distributed or ranks.rank == 0:
            weights = Weights(network=network_cell(cell).network, device=ranks.device)
            self.layout = kind(weights, ranks)
            self.x_BF = weights.inputs(cell.batch_size)
            self.with_backward = cell.direction == "forward_backward"
            self.x_BF.requires_grad_(self.with_backward)
            self.grad_BO = torch.ones(cell.batch_size, cell.output_dim, device=ranks.device)

    def call(self) -> None:
        """One call: the layer's forward pass, and the gradients of everything where asked for."""
        if self.with_backward:
            self.layout.zero_grad()
            self.x_BF.grad = None
            y_BO = self.layout.forward(self.x_BF)
            self.layout.trace.mark("other")
            y_BO.backward(self.grad_BO)
            self.layout.trace.mark("backward")
        else:
            with torch.no_grad():
                self.layout.forward(self.x_BF)
        self.setting.synchronise()

    def clear(self) -> None:
        """Give up weights, batch and gradients."""
        for name in ("layout", "x_BF", "grad_BO"):
            vars(self).pop(name, None)
