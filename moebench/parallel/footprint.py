"""Bytes that a share of the experts takes, by counting: what the layouts' ``memory`` is made of.

Letters as in ``moebench.parallel.experts``.
"""

from dataclasses import dataclass

from moebench.parallel.network import Cell, Network

INDEX_BYTES = 8


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


_CALL_FLOPS = 450_000
_CALLS_TO_SORT, _CALLS_PER_EXPERT = 10, 4


def parameters_bytes(cell: Cell, part: Part) -> int:
    """The gate, whole, and a part of the experts."""
    network = cell.network
    hidden_unit = network.feature_dim + 1 + network.output_dim
    hidden = part.num_experts * part.num_hidden * hidden_unit
    biases = part.num_experts * network.output_dim * part.adds_bias
    return cell.itemsize * (gate_numbers(network) + hidden + biases)


def gate_numbers(network: Network) -> int:
    """Matrix and bias of the gate."""
    return network.num_experts * (network.feature_dim + 1)


def routing_bytes(cell: Cell, num_rows: int) -> int:
    """Logits; logit, weight and number of each chosen expert."""
    network = cell.network
    choices = num_rows * network.top_k
    numbers = num_rows * network.num_experts + 2 * choices
    return cell.itemsize * numbers + INDEX_BYTES * choices


def mix_bytes(cell: Cell, part: Part, num_rows: int, num_assignments: int) -> int:
    """What a share makes while it mixes its answers to ``num_rows`` rows."""
    if is_fused(cell.network, part.num_experts, part.num_hidden, num_rows):
        return _fused_bytes(cell, part, num_rows)
    return answer_bytes(cell, part, num_assignments) + gathered_bytes(cell, num_assignments)


def gathered_bytes(cell: Cell, num_assignments: int) -> int:
    """Rows and weights in the order of experts, weighted answers, and their sums per row."""
    network = cell.network
    per_assignment = network.feature_dim + 1 + network.output_dim
    summed = cell.batch_size * network.output_dim
    indices = num_assignments * 3
    return INDEX_BYTES * indices + cell.itemsize * (num_assignments * per_assignment + summed)


def answer_bytes(cell: Cell, part: Part, num_assignments: int) -> int:
    """Hidden units and answers of rows in the order of experts, and all answers in one tensor."""
    joined = part.num_experts > 1
    width = part.num_hidden + (1 + joined) * cell.network.output_dim
    return cell.itemsize * num_assignments * width


def _fused_bytes(cell: Cell, part: Part, num_rows: int) -> int:
    network = cell.network
    dense = 2 * network.num_experts  # zeros, and with the weights in them
    if part.num_experts == 1:  # its answers are weighted
        hidden, answers = part.num_hidden, 2 * network.output_dim
    else:  # hidden units are
        hidden = 2 * part.num_experts * part.num_hidden
        answers = network.output_dim * (1 + part.adds_bias)
    return cell.itemsize * num_rows * (dense + hidden + answers)
