"""Load: how unevenly tokens are spread over the experts of one layer.

``load_E`` is the number of tokens per expert, E experts. A load that is zero everywhere is neither
even nor uneven: no measure exists, and each function raises ValueError.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def load_cv(load_E: ArrayLike) -> float:
    """Coefficient of variation: population standard deviation over mean; 0 when even."""
    load = _checked(load_E)
    return float(load.std() / load.mean())


def max_vio(load_E: ArrayLike) -> float:
    """Largest load over mean, minus 1 (MaxVio of arXiv:2408.15664); 0 when even."""
    load = _checked(load_E)
    return float(load.max() / load.mean() - 1)


def _checked(load_E: ArrayLike) -> NDArray[np.float64]:
    load = np.asarray(load_E, dtype=np.float64)
    if load.ndim != 1 or not load.sum() > 0 or load.min() < 0:
        raise ValueError(f"load {load.tolist()} must be a list of counts >= 0, not all of them 0")
    return load
