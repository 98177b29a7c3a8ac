"""How many parameters networks have, how wide a dense one must be, and what memory they need.

In closed form and without torch, so that a size which does not fit is refused before any job.
"""

import math
from collections.abc import Sequence

from moebench.spec.energy import EnergySpec, NetworkName, ShapeSpec

NUM_FEATURES = 784
NUM_CLASSES = 10

_FLOAT_BYTES = 4
# While a network is trained: its weights, their gradients, and Adam's two moments.
_COPIES_IN_TRAINING = 4


def perceptron_params(width: int, num_layers: int) -> int:
    """Parameters of a perceptron with so many hidden layers of one width, biases included."""
    into = (NUM_FEATURES + 1) * width
    hidden = (num_layers - 1) * (width + 1) * width
    return into + hidden + (width + 1) * NUM_CLASSES


def mixture_params(shape: ShapeSpec) -> int:
    """Parameters of the mixture: all experts and the gate."""
    return _with_gate(shape, shape.num_experts)


def active_params(shape: ShapeSpec) -> int:
    """Parameters of the mixture that one sample meets: top_k experts and the gate."""
    return _with_gate(shape, shape.top_k)


def dense_width(num_layers: int, num_params: int) -> int:
    """Smallest width at which a perceptron has at least so many parameters.

    The root of (L-1) H^2 + (785 + L-1 + 10) H + 10 = P, rounded up; exact in whole numbers.
    """
    a, b, c = num_layers - 1, NUM_FEATURES + 1 + num_layers - 1 + NUM_CLASSES, NUM_CLASSES
    missing = num_params - c
    if a == 0:
        return -(-missing // b)
    width = (math.isqrt(b * b + 4 * a * missing) - b) // (2 * a)
    return width if perceptron_params(width, num_layers) >= num_params else width + 1


def width_of(network: NetworkName, shape: ShapeSpec) -> int:
    """Hidden width of the dense network, or of one expert of the mixture."""
    if network == "moe":
        return shape.width
    asked = {"dense_total": mixture_params, "dense_active": active_params}[network]
    return dense_width(shape.num_layers, asked(shape))


def params_of(network: NetworkName, shape: ShapeSpec) -> int:
    """Parameters of a network of one size."""
    if network == "moe":
        return mixture_params(shape)
    return perceptron_params(width_of(network, shape), shape.num_layers)


def active_params_of(network: NetworkName, shape: ShapeSpec) -> int:
    """Parameters that one sample meets: all of a dense network, some of the mixture."""
    return active_params(shape) if network == "moe" else params_of(network, shape)


def memory_bytes(spec: EnergySpec, size: str) -> int:
    """Memory that one size needs at most: while training, or while measuring, whichever is more.

    Weights, batches and answers; not what the kernels use on the way.
    """
    shape = spec.shape(size)
    params = [params_of(network, shape) for network in spec.networks]
    rows = max(spec.batch_sizes) * (spec.num_batches + 1)
    batches = rows * _FLOAT_BYTES * (NUM_FEATURES + _widest(spec, shape))
    narrow = max(params) * 2 if "bf16" in spec.dtypes else 0
    measuring = sum(params) * _FLOAT_BYTES + narrow + batches
    is_trained = size in spec.learning.sizes
    training = max(params) * _FLOAT_BYTES * _COPIES_IN_TRAINING if is_trained else 0
    return max(measuring, training)


def check_memory(spec: EnergySpec, available_bytes: int, where: str) -> None:
    """Raise ValueError for sizes that need more memory than there is."""
    for size in spec.sizes:
        needed = memory_bytes(spec, size)
        if needed > available_bytes:
            raise ValueError(
                f"energy.sizes: {size!r} needs {needed / 1e9:.1f} GB, {where} has "
                f"{available_bytes / 1e9:.1f} GB; leave it out, or out of learning.sizes, or "
                f"ask for fewer of {', '.join(spec.networks)}"
            )


def _with_gate(shape: ShapeSpec, num_experts: int) -> int:
    gate = (NUM_FEATURES + 1) * shape.num_experts
    return num_experts * perceptron_params(shape.width, shape.num_layers) + gate


def _widest(spec: EnergySpec, shape: ShapeSpec) -> int:
    widths: Sequence[int] = [width_of(network, shape) for network in spec.networks]
    return max(widths)
