"""Hypervolume: how much of quality and speed the arms open up, and what each of them adds.

An arm opens up whatever is no better and no faster than it. The area that all arms open up
together, down to a reference point, is their hypervolume (Zitzler and Thiele 1998,
doi:10.1007/BFb0056872). Both axes are logarithms relative to the dense network of equal FLOPs: of
perplexity and of the time for a token. The reference point is an arm so many times worse and so
many times slower than that network, as the config says; no other arm moves it. The unit is the
volume of that network alone, which is 1 whatever the machine, the text and the tokenizer.

A hypervolume is the best of many arms, so a percentile interval of draws is wrong where arms tie:
every draw picks its luckiest arm, and no draw has none. Intervals here hold for all volumes at
once, ties or not: the draws give a box around all arms that holds 95 of 100 draws (the sup-t band
of Montiel Olea and Plagborg-Moller 2019, doi:10.1002/jae.2656); a volume only grows as arms get
better, so its ends lie in two corners of that box.

Shapes: A arms, D draws, X axes; less is better on every axis.
"""

from typing import Any, NamedTuple

import moocore
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from moebench import tables
from moebench.analysis import cells
from moebench.analysis.frontier_words import EVERYTHING, ONE_LESS, ONLY_DENSE, SUPPORTED, TIE
from moebench.analysis.schemas_frontier import HYPERVOLUME
from moebench.analysis.statistics import CONFIDENCE, Array
from moebench.analysis.summary import Arms
from moebench.spec import BASELINES, StatisticsSpec

BASE = "dense"
IDENTITY = ("router", "capacity_factor", "gate", "drop_policy")
_ROUNDING = 1e-12  # what the difference of two equal volumes may be in floats
Mask = NDArray[np.bool_]


class Box(NamedTuple):
    """Arms (A, X): as measured, and the best and worst that seeds and rounds leave open."""

    mean_AX: Array
    best_AX: Array
    worst_AX: Array


def hypervolume(arms: Arms, statistics: StatisticsSpec) -> pd.DataFrame:
    """One line for all ranked arms, one for the dense networks alone, one without each arm.

    ``decrease`` is what is lost against all arms: for the dense networks alone, all that routers
    add. No line where there is not exactly one dense network of equal FLOPs to measure from.
    """
    ranked = arms.table[arms.is_ranked_A].reset_index(drop=True)
    names = list(dict.fromkeys([*IDENTITY, *cells.swept(ranked, cells.setting_names())]))
    columns = list(dict.fromkeys([*HYPERVOLUME.columns, *names]))
    bases = np.flatnonzero(ranked["router"] == BASE)
    if len(bases) != 1:
        return tables.check(pd.DataFrame(columns=columns), HYPERVOLUME)
    base = ranked.loc[bases[0]]
    reference_X = np.log([statistics.reference_ppl_ratio, statistics.reference_slowdown])
    box = _box(arms, int(bases[0]))
    shared = {
        "reference_val_ppl": base["val_ppl_causal"] * statistics.reference_ppl_ratio,
        "reference_train_tokens_per_s": base["train_tokens_per_s"] / statistics.reference_slowdown,
    }
    lines = [
        {"kept": what, **arm, "num_arms": int(is_kept_A.sum())}
        | _volumes(box, is_kept_A, reference_X)
        | shared
        for what, is_kept_A, arm in _parts(ranked, names)
    ]
    return tables.check(pd.DataFrame(lines, columns=columns), HYPERVOLUME)


def relative(nll_A: Array, speed_A: Array, base: int) -> Array:
    """Logarithms (A, ..., 2) of perplexity and of time per token, over those of one arm."""
    slowness = np.log(speed_A[base] / speed_A)
    return np.stack([nll_A - nll_A[base], slowness], axis=-1)


def volume(x_AX: Array, reference_X: Array) -> float:
    """Hypervolume of arms, over that of an arm at the origin."""
    # What lies beyond the reference point opens up nothing; on its edge it does so too.
    inside_AX = np.minimum(x_AX, reference_X)
    return float(moocore.hypervolume(inside_AX, ref=reference_X) / reference_X.prod())


def simultaneous_box(mean_AX: Array, draws_ADX: Array) -> Box:
    """Box that holds all arms on all axes at once in 95 of 100 draws; NaN from draws of NaN."""
    gap_ADX = np.abs(draws_ADX - mean_AX[:, None])
    alone_AX = np.quantile(gap_ADX, CONFIDENCE, axis=1)
    # What does not move, such as the origin, needs no room.
    score_ADX = np.divide(
        gap_ADX, alone_AX[:, None], out=np.zeros_like(gap_ADX), where=alone_AX[:, None] > 0
    )
    half_AX = np.quantile(score_ADX.max(axis=(0, 2)), CONFIDENCE) * alone_AX
    return Box(mean_AX, mean_AX - half_AX, mean_AX + half_AX)


def _parts(ranked: pd.DataFrame, names: list[str]) -> list[tuple[str, Mask, dict[Any, Any]]]:
    """Sets of arms: what it is called, which arms are kept, and the name of the one left out."""
    everything_A = np.ones(len(ranked), dtype=bool)
    parts: list[tuple[str, Mask, dict[Any, Any]]] = [
        (EVERYTHING, everything_A, {}),
        (ONLY_DENSE, ranked["router"].isin(list(BASELINES)).to_numpy(), {}),
    ]
    for number, arm in enumerate(ranked[names].to_dict("records")):
        parts.append((ONE_LESS, np.arange(len(ranked)) != number, arm))
    return parts


def _box(arms: Arms, base: int) -> Box:
    ranked = arms.table[arms.is_ranked_A]
    nll_A, speed_A = (
        ranked[name].to_numpy() for name in ("val_nll_causal_nats", "train_tokens_per_s")
    )
    mean_AX = relative(nll_A, speed_A, base)
    drawn = arms.nll_AD[arms.is_ranked_A], arms.speed_AD[arms.is_ranked_A]
    return simultaneous_box(mean_AX, relative(*drawn, base))


def _volumes(box: Box, is_kept_A: Mask, reference_X: Array) -> dict[str, Any]:
    """Volume of the arms that are kept, and what is lost with the others, with their intervals.

    What some arms add is least where they are at their worst and all others at their best.
    """

    def kept(x_AX: Array) -> float:
        return volume(x_AX[is_kept_A], reference_X)

    def added(others_AX: Array, kept_AX: Array) -> float:
        both_AX = np.where(is_kept_A[:, None], kept_AX, others_AX)
        gap = volume(both_AX, reference_X) - kept(kept_AX)
        return gap if gap > _ROUNDING else 0.0

    found: dict[str, Any] = {"hypervolume": kept(box.mean_AX)}
    has_box = not np.isnan(box.best_AX).any()
    if has_box:
        found |= {"hypervolume_low": kept(box.worst_AX), "hypervolume_high": kept(box.best_AX)}
    if is_kept_A.all():
        return found
    found["decrease"] = added(box.mean_AX, box.mean_AX)
    if has_box:
        found["decrease_low"] = added(box.worst_AX, box.best_AX)
        found["decrease_high"] = added(box.best_AX, box.worst_AX)
        found["verdict"] = SUPPORTED if found["decrease_low"] > 0 else TIE
    return found
