"""A time as a sum of terms that cost something each, fitted to relative errors.

Shapes: C readings, J terms. One solver for both models: a collective is latency plus bytes times a
time per byte; a layer is calls, operations and bytes, each times its own time.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

Array = NDArray[np.float64]

OUTLIER = 0.1  # relative error from which on a reading pulls linearly, no more quadratically
TINY = 1e-12  # a relative time that stands for 0 in a logarithm


def fit(term_CJ: Array, time_C: Array) -> Array:
    """Cost (J) of each term, none of them negative, for times (C) in seconds.

    Minimises the soft-L1 loss of log(predicted / measured), so that a microsecond counts as much in
    a call of a millisecond as a millisecond in one of a second, and a reading that something
    disturbed does not bend the fit. It starts from non-negative least squares of relative errors,
    which has one minimum. A term that is zero in every reading costs nothing.
    """
    assert term_CJ.ndim == 2, "one line of terms per reading"
    assert (time_C > 0).all(), "times are positive"
    size_J = np.where(term_CJ.max(axis=0) > 0, term_CJ.max(axis=0), 1.0)
    scale_J = time_C.max() / size_J  # so that all unknowns are of one magnitude
    relative_CJ = term_CJ * scale_J / time_C[:, None]
    start_J, _ = optimize.nnls(relative_CJ, np.ones(len(time_C)))
    if not (relative_CJ @ start_J > 0).all():
        start_J = start_J + 1e-6
    found = optimize.least_squares(
        lambda cost_J: np.log(np.maximum(relative_CJ @ cost_J, TINY)),
        np.maximum(start_J, 1e-9),
        jac=lambda cost_J: relative_CJ / np.maximum(relative_CJ @ cost_J, TINY)[:, None],
        bounds=(0, np.inf),
        loss="soft_l1",
        f_scale=OUTLIER,
        x_scale=np.maximum(start_J, 1e-3),
    )
    # The bound is approached, never reached; what adds nothing anywhere is nothing.
    share_J = (relative_CJ * found.x).max(axis=0)
    cost_J: Array = np.where(share_J > 1e-6, found.x, 0.0) * scale_J
    return cost_J


def relative_errors(predicted_C: Array, measured_C: Array) -> Array:
    """|predicted - measured| / measured of each reading."""
    errors_C: Array = np.abs(predicted_C / measured_C - 1)
    return errors_C
