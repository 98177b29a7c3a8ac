"""How curves of training are made readable: a running mean, a band over seeds, a cut beginning."""

import pandas as pd

WINDOWS_PER_RUN = 30  # a running mean over this fraction of the steps
FIRST_SHOWN = 0.1  # share of the steps that may lie above a panel


def smoothing_steps(curves: pd.DataFrame) -> int:
    """Width of the running mean, an odd number of steps."""
    return int(curves["step"].max()) // WINDOWS_PER_RUN // 2 * 2 + 1


def bands(curves: pd.DataFrame, quantity: str, factor: float) -> pd.DataFrame:
    """Mean, lowest and highest seed at each step: of a capacity factor, and of dense networks."""
    here = curves["capacity_factor"].isna() | (curves["capacity_factor"] == factor)
    chosen = curves[here & (curves["quantity"] == quantity)]
    return chosen.groupby(["router", "step"])["value"].agg(["mean", "min", "max"]).reset_index()


def factors(curves: pd.DataFrame) -> list[float]:
    """Capacity factors, a column for each; one column without a name for dense networks alone."""
    found = sorted(curves["capacity_factor"].dropna().unique())
    return found or [float("nan")]
