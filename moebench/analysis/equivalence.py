"""Equivalence, and what the seeds could have found: what stands behind the word tie.

A difference that is not told from none may be too small to matter, or the seeds may be too few. Two
one-sided tests (TOST; Schuirmann 1987, doi:10.1007/BF01068419) tell the first: they reject "at
least the margin" on either side. The minimum detectable effect tells the second: the true
difference that the test would have found in four experiments of five.

Shapes: A arms, S seeds, P pairs, D quantiles.
"""

from typing import Any

import numpy as np
import pandas as pd
from scipy import optimize, stats
from statsmodels.stats.multitest import multipletests

from moebench.analysis.blocks import block_scatter
from moebench.analysis.statistics import SIGNIFICANCE, Array

POWER = 0.8


def equivalence_p_values(mean_P: Array, error: float, dof: int, margin: float) -> Array:
    """P-values (P) against a true difference of the margin or more: the larger of the two tests.

    ``error`` is the standard error of a difference, with ``dof`` degrees of freedom; without any
    scatter a difference is within the margin for certain, or not. NaN without degrees of freedom.
    """
    if dof == 0:
        return np.full_like(mean_P, np.nan)
    room_P = margin - np.abs(mean_P)
    if error == 0:
        return np.where(room_P > 0, 0.0, 1.0)
    p_value_P: Array = stats.t.sf(room_P / error, dof)
    return p_value_P


def minimum_detectable(error: float, dof: int, num_pairs: int) -> float:
    """True difference that is told from none with 80 % probability; NaN without scatter known.

    The level is that of the first step of Holm's method in a family of ``num_pairs``, the hardest
    one: what is found there is found at every other step.
    """
    if dof == 0:
        return np.nan
    limit = float(stats.t.isf(SIGNIFICANCE / num_pairs / 2, dof))
    # Student's t is a normal number over an independent sd; seen through the quantiles of that sd,
    # power has no trouble where the noncentral t distribution loses its digits.
    sd_D = np.sqrt(stats.chi2.ppf((np.arange(2000) + 0.5) / 2000, dof) / dof)

    def lacking(shift: float) -> float:
        found_D = stats.norm.sf(limit * sd_D - shift) + stats.norm.cdf(-limit * sd_D - shift)
        return float(found_D.mean() - POWER)

    return error * float(optimize.brentq(lacking, 0, 10 + 10 * limit))


def judge(table: pd.DataFrame, x_AS: Array, gap: str, margin: float, less_is_better: bool) -> None:
    """Add to a table of pairs what its ties mean, family by family, from the values it came from.

    ``table`` has columns ``gap``, ``family``, ``verdict``; ``x_AS`` holds arms x seeds. Added are
    ``margin``, ``p_value_equivalence`` with its Holm-adjusted twin, ``minimum_detectable`` and
    ``conclusion``.
    """
    sd, dof = block_scatter(x_AS)
    error = sd * float(np.sqrt(2 / x_AS.shape[1]))
    families = table.groupby("family")[gap]
    table["margin"] = margin
    table["p_value_equivalence"] = equivalence_p_values(table[gap].to_numpy(), error, dof, margin)
    table["p_value_equivalence_holm"] = table.groupby("family")["p_value_equivalence"].transform(
        holm
    )
    detectable = {n: minimum_detectable(error, dof, n) for n in set(families.size())}
    table["minimum_detectable"] = families.transform("size").map(detectable).astype(float)
    told = [
        conclusion(verdict, p, less_is_better)
        for verdict, p in zip(table["verdict"], table["p_value_equivalence_holm"], strict=True)
    ]
    table["conclusion"] = pd.array(told, dtype="str")


def conclusion(verdict: Any, p_equivalence: float, less_is_better: bool) -> str | None:
    """What a verdict means for the first arm of a pair; None where nothing was tested."""
    if pd.isna(verdict):
        return None
    if verdict == "tie":
        return "equivalent" if p_equivalence < SIGNIFICANCE else "tie"
    return "better" if (verdict == "lower") == less_is_better else "worse"


def holm(p_value: "pd.Series[float]") -> Any:
    """Holm-adjusted p-values of a family; NaN where one of them is."""
    if p_value.isna().any():
        return np.nan
    return multipletests(p_value, method="holm")[1]
