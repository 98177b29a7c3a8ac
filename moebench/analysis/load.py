"""Load: how unevenly tokens are spread over the experts of one layer.

``load_E`` is the number of tokens per expert, E experts. A load that is zero everywhere is neither
even nor uneven: no measure exists, and each function raises ValueError.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

DEAD_SHARE = 0.01  # of its fair share; an expert with less hardly takes part


def load_cv(load_E: ArrayLike) -> float:
    """Coefficient of variation: population standard deviation over mean; 0 when even."""
    load = _checked(load_E)
    return float(load.std() / load.mean())


def max_vio(load_E: ArrayLike) -> float:
    """Largest load over mean, minus 1 (MaxVio of arXiv:2408.15664); 0 when even."""
    load = _checked(load_E)
    return float(load.max() / load.mean() - 1)


def num_dead(load_E: ArrayLike) -> int:
    """Experts with less than DEAD_SHARE of the mean load."""
    load = _checked(load_E)
    return int((load < DEAD_SHARE * load.mean()).sum())


def _checked(load_E: ArrayLike) -> NDArray[np.float64]:
    load = np.asarray(load_E, dtype=np.float64)
    if load.ndim != 1 or not load.sum() > 0 or load.min() < 0:
        raise ValueError(f"load {load.tolist()} must be a list of counts >= 0, not all of them 0")
    return load
