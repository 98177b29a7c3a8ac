"""Work of one inference, counted: floating-point operations, and bytes that must move."""

from dataclasses import dataclass

from moebench.energy.sizes import NUM_CLASSES, NUM_FEATURES, params_of, width_of
from moebench.spec.energy import NetworkName, ShapeSpec

ITEM_BYTES = {"f32": 4, "tf32": 4, "bf16": 2}


@dataclass(frozen=True, kw_only=True)
class Work:
    """What one inference takes on average over a cell's batches."""

    flops: float  # of the products of matrices: one multiplication and one addition each
    bytes: float
    touched_experts: float | None  # different experts of a batch; None without any


def work(
    network: NetworkName, shape: ShapeSpec, batch_size: int, dtype: str, touched: list[int]
) -> Work:
    """Exact counts; ``touched`` is the number of different experts that each batch chooses.

    Bytes are the least that any way to run the network moves: every weight and bias of the gate and
    of the touched experts once a batch, every row in once and its scores out once.
    """
    rows = (NUM_FEATURES + NUM_CLASSES) * batch_size
    if network != "moe":
        values, mean_touched = float(params_of(network, shape) + rows), None
    else:
        mean_touched = sum(touched) / len(touched)
        gate = (NUM_FEATURES + 1) * shape.num_experts
        one = (params_of(network, shape) - gate) // shape.num_experts
        values = gate + mean_touched * one + rows
    return Work(
        flops=flops(network, shape),
        bytes=values * ITEM_BYTES[dtype] / batch_size,
        touched_experts=mean_touched,
    )


def flops(network: NetworkName, shape: ShapeSpec) -> int:
    """Floating-point operations of one inference: two for each weight that a row meets."""
    width, layers = width_of(network, shape), shape.num_layers
    weights = NUM_FEATURES * width + (layers - 1) * width * width + width * NUM_CLASSES
    if network != "moe":
        return 2 * weights
    return 2 * (shape.top_k * weights + NUM_FEATURES * shape.num_experts)
