"""Arms of an experiment, in words."""

from typing import Any

import pandas as pd

from moebench.figures import style

KEY = ("router", "capacity_factor", "gate", "drop_policy")
Arm = tuple[Any, ...]  # router and capacity factor, then gate and drop policy if not the usual ones


def arm(each: Any) -> Arm:
    """Which arm a row is about; what goes without saying is left off at the end."""
    factor, gate, policy = each["capacity_factor"], each["gate"], each["drop_policy"]
    known = str(each["router"]), None if pd.isna(factor) else float(factor)
    gate = style.PLAIN_GATE if pd.isna(gate) else str(gate)
    policy = style.USUAL_POLICY if pd.isna(policy) else str(policy)
    if policy != style.USUAL_POLICY:
        return (*known, gate, policy)
    return known if gate == style.PLAIN_GATE else (*known, gate)


def name(each: Any) -> str:
    """Name of an arm for a reader."""
    return style.cell(*arm(each))


def ppl(each: Any) -> str:
    """Perplexity without later tokens, with its interval, in words."""
    value, low, high = (each[f"val_ppl_causal{end}"] for end in ("", "_low", "_high"))
    if pd.isna(low):
        return f"perplexity {value:.3f} (no interval: too few seeds)"
    return f"perplexity {value:.3f} ({low:.3f} to {high:.3f})"


def routed(summary: pd.DataFrame) -> pd.DataFrame:
    """Arms with a router, hence a capacity factor."""
    return summary[summary["capacity_factor"].notna()]


def extreme(arms: pd.DataFrame, column: str, largest: bool = False) -> dict[Any, Any]:
    """The arm with the smallest or the largest value."""
    return arms.sort_values(column, ascending=not largest, kind="stable").to_dict("records")[0]
