"""Effective speed-up: how much sooner an arm is as good as a dense network is in the end.

The held-out loss of the dense network after its last step is the goal. Its tokens over those that
an arm needs to come down to the goal, read off the arm's scores on the way, are the speed-up in
tokens; times the ratio of their rates, both measured, it is the speed-up in time. Against the
network of equal FLOPs the first is matched by FLOPs, for tokens cost both the same; against that
of equal size, by parameters.

Between two scores the loss is taken to fall along a straight line. A curve that flattens lies
below that line, so what is read off is late rather than early. An arm that has not come down after
its last step has no speed-up but a bound to it, and so has one that is down at its first score.

Runs are paired by seed; logarithms of ratios have Student's t interval, to which the draws of the
rates add theirs. Shapes: S seeds, D draws.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from moebench import tables
from moebench.analysis import cells
from moebench.analysis.certificates.verdict import NON_CAUSAL
from moebench.analysis.frontier_words import (
    BEFORE_FIRST,
    FASTER,
    NO_CURVE,
    NOT_REACHED,
    SLOWER,
    TIE,
)
from moebench.analysis.hypervolume import IDENTITY
from moebench.analysis.schemas_frontier import SPEED_UP
from moebench.analysis.statistics import Array, draws_interval, mean_interval
from moebench.analysis.summary import Arms
from moebench.records import Row
from moebench.spec import BASELINES

MATCHED_BY = {"dense": "flops", "dense_total": "parameters"}
Curve = tuple[Array, Array]  # steps and held-out losses, of one run
Curves = dict[str, dict[int, Curve]]  # by cell, then by seed


class Reached(NamedTuple):
    """When a goal was reached: at a step, or between two; ``last`` is infinite if never."""

    first: float
    last: float


def speed_ups(rows: Sequence[Row], arms: Arms, rng: np.random.Generator) -> pd.DataFrame:
    """Two lines for each routed arm and each dense network that differs in nothing else."""
    table, curves = arms.table, _curves(rows)
    names = list(dict.fromkeys([*IDENTITY, *cells.swept(table, cells.setting_names())]))
    lines = []
    for arm, base in _pairs(table):
        line = {name: table.iloc[arm][name] for name in names}
        line |= {"baseline": table.iloc[base]["router"], "num_seeds": table.iloc[arm]["num_seeds"]}
        ours, theirs = (curves[str(table.index[number])] for number in (arm, base))
        line["num_scores"] = min(len(steps_N) for steps_N, _ in ours.values())
        gain_D = np.log(arms.speed_AD[arm] / arms.speed_AD[base])
        gain = np.log(np.divide(*table.iloc[[arm, base]]["train_tokens_per_s"]))
        found = ratios(ours, theirs) if _has_curve(table.iloc[arm]) else None
        for matched_by, rate, rate_D in (
            (MATCHED_BY[line["baseline"]], 0.0, None),
            ("time", gain, gain_D),
        ):
            how = {"outcome": NO_CURVE} if found is None else told(found + rate, rate_D, rng)
            lines.append(line | {"matched_by": matched_by} | how)
    columns = list(dict.fromkeys([*SPEED_UP.columns, *names]))
    return tables.check(pd.DataFrame(lines, columns=columns), SPEED_UP)


def reached(curve: Curve, goal: float) -> Reached:
    """When a loss first came down to the goal."""
    step_N, nll_N = curve
    down_N = np.flatnonzero(nll_N <= goal)
    if not len(down_N):
        return Reached(float(step_N[-1]), np.inf)
    if (n := down_N[0]) == 0:
        return Reached(0.0, float(step_N[0]))
    share = (nll_N[n - 1] - goal) / (nll_N[n - 1] - nll_N[n])
    step = float(step_N[n - 1] + share * (step_N[n] - step_N[n - 1]))
    return Reached(step, step)


def ratios(ours: Mapping[int, Curve], theirs: Mapping[int, Curve]) -> Array:
    """Logarithms (2, S) of a dense network's steps over an arm's: at least, and at most."""
    found = []
    for seed, (step_N, nll_N) in theirs.items():
        when = reached(ours[seed], float(nll_N[-1]))
        with np.errstate(divide="ignore"):
            found.append(np.log(step_N[-1]) - np.log([when.last, when.first]))
    return np.array(found).T


def told(log_2S: Array, rate_D: Array | None, rng: np.random.Generator) -> dict[str, Any]:
    """Speed-up with interval and outcome, or its bounds, from logarithms at least and at most."""
    is_known_S = log_2S[0] == log_2S[1]
    line: dict[str, Any] = {"num_reached": int(np.isfinite(log_2S[0]).sum())}
    if not is_known_S.all():
        # The bound of a mean is the mean of the bounds, and none where a seed has none.
        least, most = np.exp(log_2S.mean(axis=1))
        line["speed_up_at_least"] = least if least > 0 else None
        line["speed_up_at_most"] = most if most < np.inf else None
        was_missed = np.isneginf(log_2S[0]).any()
        return line | {"outcome": NOT_REACHED if was_missed else BEFORE_FIRST}
    line["speed_up"] = float(np.exp(log_2S[0].mean()))
    low, high = np.exp(_interval(log_2S[0], rate_D, rng))
    if np.isnan(low):
        return line
    outcome = FASTER if low > 1 else SLOWER if high < 1 else TIE
    return line | {"speed_up_low": low, "speed_up_high": high, "outcome": outcome}


def _interval(log_S: Array, rate_D: Array | None, rng: np.random.Generator) -> tuple[float, float]:
    """Student's t interval of a mean over seeds, widened by draws of what all seeds share."""
    if rate_D is None or len(log_S) < 2:
        low, high = mean_interval(log_S)
        return float(low), float(high)
    error = log_S.std(ddof=1) / np.sqrt(len(log_S))
    mean_D = log_S.mean() + error * rng.standard_t(len(log_S) - 1, len(rate_D))
    low, high = draws_interval(mean_D + rate_D - np.median(rate_D))
    return float(low), float(high)


def _curves(rows: Sequence[Row]) -> Curves:
    """Held-out loss on the way, of each arm and seed."""
    found: dict[str, dict[int, list[tuple[int, float]]]] = {}
    for row in rows:
        if row.kind == "validation":
            runs = found.setdefault(cells.cell(row), {})
            scores = runs.setdefault(row.spec["seed"], [])
            scores.append((row.values["step"], row.values["val_nll_nats"]))
    return {
        cell: {seed: _curve(scores) for seed, scores in sorted(runs.items())}
        for cell, runs in found.items()
    }


def _curve(scores: list[tuple[int, float]]) -> Curve:
    step_N, nll_N = np.array(sorted(scores), dtype=float).T
    return step_N, nll_N


def _pairs(table: pd.DataFrame) -> Iterator[tuple[int, int]]:
    """Each routed arm with each dense network that is like it in all settings that both have."""
    names = [name for name in cells.setting_names() if name in table]
    settings = table[names].to_dict("records")
    is_dense = table["router"].isin(list(BASELINES)).tolist()
    for arm, its in enumerate(settings):
        for base, theirs in enumerate(settings):
            alike = all(
                its[name] == theirs[name]
                for name in names
                if pd.notna(its[name]) and pd.notna(theirs[name])
            )
            if is_dense[base] and not is_dense[arm] and alike:
                yield arm, base


def _has_curve(arm: "pd.Series[Any]") -> bool:
    """Whether the scores on the way are the ones that count: those without later tokens."""
    return bool(arm["causality"] != NON_CAUSAL and arm["certified"] != NON_CAUSAL)
