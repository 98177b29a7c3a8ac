"""Work of one inference, counted: floating-point operations, and bytes that must move."""

from dataclasses import dataclass

from moebench.energy.sizes import NUM_CLASSES, NUM_FEATURES, params_of, perceptron_params, width_of
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
    weights: float = params_of(network, shape)
    mean_touched = None
    if network == "moe":
        mean_touched = sum(touched) / len(touched)
        one = perceptron_params(shape.width, shape.num_layers)
        weights -= (shape.num_experts - mean_touched) * one
    values = weights / batch_size + NUM_FEATURES + NUM_CLASSES
    return Work(
        flops=flops(network, shape),
        bytes=values * ITEM_BYTES[dtype],
        touched_experts=mean_touched,
    )


def flops(network: NetworkName, shape: ShapeSpec) -> int:
    """Floating-point operations of one inference: two for each weight that a row meets."""
    width, layers = width_of(network, shape), shape.num_layers
    weights = NUM_FEATURES * width + (layers - 1) * width * width + width * NUM_CLASSES
    if network != "moe":
        return 2 * weights
    return 2 * (shape.top_k * weights + NUM_FEATURES * shape.num_experts)
