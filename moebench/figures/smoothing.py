"""How curves of training are made readable: a running mean, and a beginning that may be cut."""

import pandas as pd

WINDOWS_PER_RUN = 30  # a running mean over this fraction of the steps
FIRST_SHOWN = 0.1  # share of the steps that may lie above a panel


def smoothing_steps(curves: pd.DataFrame) -> int:
    """Width of the running mean, an odd number of steps."""
    return int(curves["step"].max()) // WINDOWS_PER_RUN // 2 * 2 + 1
