"""Rank stability: do the routers keep their order from one experiment to the next?

A condition is an experiment at one value of each setting that it sweeps. Routers are ranked by
causal held-out NLL within a condition, so that text, tokenizer and size may differ between them.
Who takes part is who may be on a frontier: a router that looks at later tokens does, with the score
that it has without them, and one that hides it does not.

What the seeds leave open comes from draws of the block model (``blocks.block_draws``), a parametric
bootstrap over seeds: three seeds have ten distinct resamples, too few for a plain one. Draws add
their own scatter to that of the means, so an interval of Kendall's tau is wide rather than narrow.
Whether two routers tie is the verdict of ``contrasts``, which holds for all pairs of a condition.

Shapes: R routers, P pairs of routers, A arms, S seeds, D draws.
"""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from moebench import tables
from moebench.analysis import cells
from moebench.analysis.blocks import block_draws
from moebench.analysis.certificates import gate
from moebench.analysis.contrasts import MIRROR, family_name
from moebench.analysis.schemas_ranks import DISTRIBUTION, RANKS, STABILITY
from moebench.analysis.statistics import Array, draws_interval

NUM_DRAWS = 10_000


@dataclass(frozen=True, kw_only=True)
class Condition:
    """The routers of one experiment that may be ranked, at one value of each swept setting."""

    experiment: str
    name: str
    nll: Mapping[str, float]  # causal, mean over seeds, by router
    causality: Mapping[str, str]  # what each router looks at, as it declares
    draws: Mapping[str, Array]  # what that mean may be, (D) values by router
    verdicts: Mapping[tuple[str, str], str | None]  # of the first router against the second


def conditions(
    experiment: str,
    runs: pd.DataFrame,
    summary: pd.DataFrame,
    contrasts: pd.DataFrame,
    rng: np.random.Generator,
) -> list[Condition]:
    """Conditions of one experiment that rank at least two routers, from its tables."""
    levels = cells.swept(runs, cells.setting_names())
    nll = cells.crossed(_named(runs, levels), "seed", "val_nll_causal_nats")
    draws_AD = block_draws(nll.to_numpy(), rng, NUM_DRAWS)
    draws = dict(zip(nll.index, draws_AD, strict=True))
    means = dict(zip(nll.index, nll.to_numpy().mean(axis=1).tolist(), strict=True))
    arms = _named(summary, levels).set_index("cell")
    routed = arms[arms["capacity_factor"].notna() & gate.may_be_ranked(arms)]
    groups: Iterable[tuple[Any, pd.DataFrame]] = [((), routed)]
    if levels:
        groups = routed.groupby(levels, sort=True)
    found = []
    for values, group in groups:
        shared = dict(zip(levels, values, strict=True))
        cell_of = dict(zip(group["router"], group.index, strict=True))
        found.append(
            Condition(
                experiment=experiment,
                name=", ".join([experiment, *(f"{key}={value}" for key, value in shared.items())]),
                nll={router: means[cell] for router, cell in cell_of.items()},
                causality=dict(zip(group["router"], group["causality"], strict=True)),
                draws={router: draws[cell] for router, cell in cell_of.items()},
                verdicts=_verdicts(contrasts, family_name("router", shared), list(cell_of)),
            )
        )
    return [each for each in found if len(each.nll) > 1]


def distinct(among: Sequence[Condition]) -> list[Condition]:
    """Conditions without those whose every run another one has too, and with which they must agree.

    An experiment may take finished runs of another one; equal scores are known as the same runs.
    """
    return [
        each
        for place, each in enumerate(among)
        if not any(_is_part(each, other) for other in among[:place])
        and not any(
            _is_part(each, other) and len(each.nll) < len(other.nll) for other in among[place + 1 :]
        )
    ]


def stability(among: Sequence[Condition]) -> pd.DataFrame:
    """One line per pair of conditions: Kendall's tau of the routers in common, and who swaps."""
    lines = [_compare(a, b) for a, b in itertools.combinations(among, 2)]
    return tables.check(pd.DataFrame(lines, columns=list(STABILITY.columns)), STABILITY)


def ranks(among: Sequence[Condition]) -> pd.DataFrame:
    """One line per condition and router: its rank, 1 the best, and how sure the seeds are of it."""
    lines = []
    for each in among:
        order = sorted(each.nll, key=lambda router: each.nll[router])
        rank_RD = _rank_draws(each)
        interval = draws_interval(rank_RD)
        for router, low, high, rank_D in zip(each.nll, *interval, rank_RD, strict=True):
            tied = [other for other in order if each.verdicts.get((router, other)) == "tie"]
            lines.append(
                {
                    "experiment": each.experiment,
                    "condition": each.name,
                    "router": router,
                    "causality": each.causality[router],
                    "val_nll_causal_nats": each.nll[router],
                    "rank": order.index(router) + 1,
                    "rank_low": low,
                    "rank_high": high,
                    "p_best": _share(rank_D, 1),
                    "tied_with": " ".join(sorted(tied)) or None,
                }
            )
    return tables.check(pd.DataFrame(lines, columns=list(RANKS.columns)), RANKS)


def distribution(among: Sequence[Condition]) -> pd.DataFrame:
    """One line per condition, router and rank: the share of the draws in which it has that rank."""
    lines = [
        (each.name, router, rank, _share(rank_D, rank))
        for each in among
        for router, rank_D in zip(each.nll, _rank_draws(each), strict=True)
        for rank in range(1, len(each.nll) + 1)
    ]
    return tables.check(pd.DataFrame(lines, columns=list(DISTRIBUTION.columns)), DISTRIBUTION)


def _named(table: pd.DataFrame, levels: Sequence[str]) -> pd.DataFrame:
    """The table with a name for each router and value of the swept settings, as ``cell``."""
    identity = table[["router", *levels]].itertuples(index=False)
    return table.assign(cell=[", ".join(map(str, each)) for each in identity])


def _verdicts(
    contrasts: pd.DataFrame, family: str, routers: Sequence[str]
) -> dict[tuple[str, str], str | None]:
    """Verdict on each router against each other router of a condition."""
    pairs = contrasts[
        (contrasts["family"] == family)
        & contrasts["router_a"].isin(routers)
        & contrasts["router_b"].isin(routers)
    ]
    found: dict[tuple[str, str], str | None] = {}
    for a, b, given in zip(pairs["router_a"], pairs["router_b"], pairs["verdict"], strict=True):
        verdict = None if pd.isna(given) else str(given)
        found |= {(a, b): verdict, (b, a): MIRROR[verdict]}
    assert len(found) == len(routers) * (len(routers) - 1), f"a pair of {family} is missing"
    return found


def _is_part(one: Condition, other: Condition) -> bool:
    """Whether every router of one condition has the score that it has in the other."""
    return all(
        router in other.nll and math.isclose(nll, other.nll[router], rel_tol=1e-12)
        for router, nll in one.nll.items()
    )


def _compare(a: Condition, b: Condition) -> dict[str, object]:
    """How two conditions order the routers that both rank."""
    common = [router for router in a.nll if router in b.nll]
    pairs = list(itertools.combinations(common, 2))
    told = {pair: (a.verdicts[pair], b.verdicts[pair]) for pair in pairs}
    decided = {pair: each for pair, each in told.items() if not {"tie", None} & set(each)}
    swapped = [pair for pair, (first, second) in decided.items() if first != second]
    tau, low, high = _kendall(a, b, common)
    return {
        "experiment_a": a.experiment,
        "condition_a": a.name,
        "experiment_b": b.experiment,
        "condition_b": b.name,
        "num_routers": len(common),
        "kendall_tau": tau,
        "kendall_tau_low": low,
        "kendall_tau_high": high,
        "num_pairs": len(pairs),
        "num_same": len(decided) - len(swapped),
        "num_reversed": len(swapped),
        "num_open": len(pairs) - len(decided),
        "reversed": "; ".join(" ".join(pair) for pair in swapped) or None,
        "verdict": _verdict(len(pairs), len(decided), len(swapped)),
    }


def _verdict(num_pairs: int, num_decided: int, num_reversed: int) -> str:
    """``reversed`` if a pair told apart in both swaps, ``same`` if all are told apart and none."""
    if num_reversed:
        return "reversed"
    return "same" if 0 < num_pairs == num_decided else "open"


def _kendall(a: Condition, b: Condition, common: Sequence[str]) -> tuple[float, float, float]:
    """Kendall's tau of the means, and the 95 % interval of that of the draws; NaN for one router.

    Draws have no ties, so that tau is the mean over pairs of routers of the product of signs.
    """
    if len(common) < 2:
        return np.nan, np.nan, np.nan
    tau = stats.kendalltau(*([each.nll[router] for router in common] for each in (a, b))).statistic
    sign_a_PD, sign_b_PD = (
        np.array(
            [np.sign(each.draws[i] - each.draws[j]) for i, j in itertools.combinations(common, 2)]
        )
        for each in (a, b)
    )
    low, high = draws_interval((sign_a_PD * sign_b_PD).mean(axis=0))
    # The interval of draws need not hold the tau of the means, where all of its pairs are close.
    return float(tau), float(min(low, tau)), float(max(high, tau))


def _rank_draws(condition: Condition) -> Array:
    """Ranks (R, D) of the draws; NaN where there are none."""
    draws_RD = np.stack(list(condition.draws.values()))
    rank_RD: Array = stats.rankdata(draws_RD, axis=0, nan_policy="propagate")
    return rank_RD


def _share(rank_D: Array, rank: int) -> float:
    return float(np.mean(rank_D == rank)) if np.isfinite(rank_D).all() else np.nan
