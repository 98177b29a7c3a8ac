"""Bytes that a share of the experts takes, by counting: what the layouts' ``memory`` is made of.

Letters as in ``moebench.parallel.experts``.
"""

from dataclasses import dataclass

from moebench.parallel.network import Cell, Network

_INDEX_BYTES = 8


@dataclass(frozen=True, kw_only=True)
class Part:
    """How much of the experts a rank holds."""

    num_experts: int
    num_hidden: int
    adds_bias: bool = True


def is_fused(network: Network, num_experts: int, num_hidden: int, num_rows: int) -> bool:
    """Whether a share computes each of its experts for every row, because that is cheaper.

    A torch call costs about as much as _CALL_FLOPS operations of a product, so that with few rows
    two large products beat sorting the rows and two small products an expert.
    """
    width = network.feature_dim + network.output_dim
    flops = 2 * num_rows * num_experts * num_hidden * width
    needless_flops = flops * (1 - network.top_k / network.num_experts)
    calls = _CALLS_TO_SORT + _CALLS_PER_EXPERT * num_experts
    return needless_flops <= calls * _CALL_FLOPS


_CALL_FLOPS = 150_000
_CALLS_TO_SORT, _CALLS_PER_EXPERT = 10, 4


def parameters_bytes(cell: Cell, part: Part) -> int:
    """The gate, whole, and a part of the experts."""
    network = cell.network
    E, F, O = network.num_experts, network.feature_dim, network.output_dim  # noqa: E741
    gate = E * (F + 1)
    hidden = part.num_experts * part.num_hidden * (F + 1 + O)
    return cell.itemsize * (gate + hidden + part.num_experts * O * part.adds_bias)


def routing_bytes(cell: Cell, num_rows: int) -> int:
    """Logits; logit, weight and number of each chosen expert."""
    network = cell.network
    choices = num_rows * network.top_k
    numbers = num_rows * network.num_experts + 2 * choices
    return cell.itemsize * numbers + _INDEX_BYTES * choices


def mix_bytes(cell: Cell, part: Part, num_rows: int, num_assignments: int) -> int:
    """What a share makes while it mixes its answers to ``num_rows`` rows."""
    if is_fused(cell.network, part.num_experts, part.num_hidden, num_rows):
        return _fused_bytes(cell, part, num_rows)
    network = cell.network
    choices = num_rows * network.top_k
    gathered = num_assignments * (network.feature_dim + 1)
    weighted = num_assignments * network.output_dim
    summed = 2 * num_rows * network.output_dim
    indices = 2 * choices + num_assignments + network.num_experts
    made = answer_bytes(cell, part, num_assignments) + _INDEX_BYTES * indices
    return made + cell.itemsize * (gathered + weighted + summed)


def answer_bytes(cell: Cell, part: Part, num_assignments: int) -> int:
    """Hidden units and answers of rows in the order of experts, and all answers in one tensor."""
    width = part.num_hidden + 2 * cell.network.output_dim
    return cell.itemsize * num_assignments * width


def _fused_bytes(cell: Cell, part: Part, num_rows: int) -> int:
    network = cell.network
    dense = 2 * network.num_experts  # zeros, and with the weights in them
    hidden = 2 * part.num_experts * part.num_hidden  # without and with the weights
    answers = network.output_dim * (1 + part.adds_bias)
    return cell.itemsize * num_rows * (dense + hidden + answers)
