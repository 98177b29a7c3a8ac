"""Cost at equal quality: a mixture beside the dense network that would reach its held-out loss.

The dense networks of all sizes, equal in total and equal in active parameters, make one curve;
between neighbours in size, loss and ln(cost) are taken to be straight in ln(parameters). The
interval is that of the costs; the loss is of one training run and taken as it is.
"""

from typing import Any

import numpy as np
import pandas as pd

from moebench import tables
from moebench.analysis.energy.costs import ACTIVE, DENSE, MIXTURE, places
from moebench.analysis.energy.derived_schemas import ALREADY, EQUAL_LOSS, NEVER
from moebench.analysis.statistics import Array, mean_interval


def equal_loss(windows: pd.DataFrame) -> pd.DataFrame:
    """One line per mixture and place: cost of the equally good dense network over its own."""
    lines = [
        {**place.facts, "kernel": kernel, **line}
        for place in places(windows)
        for kernel in place.kernels
        for line in _lines(place.costs, kernel)
    ]
    return tables.check(pd.DataFrame(lines, columns=list(EQUAL_LOSS.columns)), EQUAL_LOSS)


def _lines(costs: pd.DataFrame, kernel: str) -> list[dict[str, Any]]:
    dense = costs[costs["network"].isin([DENSE, ACTIVE])].dropna(subset=["heldout_nll_nats"])
    mixture = costs[(costs["network"] == MIXTURE) & (costs["kernel"] == kernel)]
    if dense.empty:
        return []
    log_cost = dense.pivot_table(index="block", columns="num_params", values="log_cost")
    nll_S = dense.groupby("num_params")["heldout_nll_nats"].first().to_numpy(float)
    found = []
    for size, mine in mixture.dropna(subset=["heldout_nll_nats"]).groupby("size", sort=False):
        nll = float(mine["heldout_nll_nats"].iloc[0])
        own = mine.set_index("block")["log_cost"]
        found.append(
            {"size": size, "heldout_nll_nats": nll, **_compared(nll_S, log_cost, nll, own)}
        )
    return found


def _compared(
    nll_S: Array, log_cost_BS: pd.DataFrame, nll: float, own_B: "pd.Series[float]"
) -> dict[str, Any]:
    """The ratio of costs where the dense curve first comes down to this loss."""
    num_blocks = len(own_B)
    good = np.flatnonzero(nll_S <= nll)
    if not len(good) or good[0] == 0:
        return {"censored": ALREADY if len(good) else NEVER, "num_blocks": num_blocks}
    s = good[0] - 1
    share = (nll_S[s] - nll) / (nll_S[s] - nll_S[s + 1])
    log_params_S = np.log(log_cost_BS.columns.to_numpy(float))
    dense_B = log_cost_BS.iloc[:, s] * (1 - share) + log_cost_BS.iloc[:, s + 1] * share
    gain_B = (dense_B - own_B).dropna().to_numpy(float)
    if not len(gain_B):
        return {"censored": None, "num_blocks": num_blocks}
    interval = mean_interval(gain_B)
    return {
        "dense_params_at_equal_loss": np.exp(
            log_params_S[s] * (1 - share) + log_params_S[s + 1] * share
        ),
        "ratio": np.exp(gain_B.mean()),
        "ratio_low": np.exp(float(interval.low)),
        "ratio_high": np.exp(float(interval.high)),
        "num_blocks": len(gain_B),
    }
