"""Ranking: the published order of the routers beside the one measured here.

Only the order compares: text, size, length of training and machine are others.
"""

import pandas as pd

from moebench import tables
from moebench.analysis.contrasts import MIRROR
from moebench.analysis.schemas import COMPARISON


def compare_published(
    summary: pd.DataFrame, published: pd.DataFrame, contrasts: pd.DataFrame
) -> pd.DataFrame:
    """One line per router and capacity factor that both know, with its rank there and here.

    ``rank`` orders mean causal NLLs, 1 the lowest. ``rank_from`` to ``rank_to`` is what the seeds
    can tell: behind those that are certainly better, ahead of those that are certainly worse;
    ``is_consistent`` says whether the published rank lies in it.
    """
    if summary.duplicated(["router", "capacity_factor"]).any():
        raise ValueError(
            "the summary sweeps more than router and capacity factor; compare one setting at a time"
        )
    both = published.merge(
        summary, on=["router", "capacity_factor", "gate"], suffixes=("_published", ""), sort=False
    )
    if both.empty:
        raise ValueError(
            "no router is known here and published at the same capacity factor; published are "
            f"{', '.join(sorted(set(published['router'])))} at "
            f"{sorted(set(published['capacity_factor']))}"
        )
    table = pd.concat(
        [_ranked(group, contrasts) for _, group in both.groupby("capacity_factor", sort=True)]
    )
    kept = [column for column in COMPARISON.columns if column in table]
    return tables.check(table[kept], COMPARISON)


def _ranked(arms: pd.DataFrame, contrasts: pd.DataFrame) -> pd.DataFrame:
    """Add ranks among the routers of one capacity factor."""
    relation = _relations(set(arms["router"]), arms["capacity_factor"].iloc[0], contrasts)
    better = [_with_verdict(relation[router], "higher") for router in arms["router"]]
    worse = [_with_verdict(relation[router], "lower") for router in arms["router"]]
    tied = [_with_verdict(relation[router], "tie") for router in arms["router"]]
    table = arms.assign(
        published_val_ppl=arms["val_ppl_published"],
        published_rank=_rank(arms["val_nll_nats_published"]),
        rank=_rank(arms["val_nll_causal_nats"]),
        rank_from=[1 + len(each) for each in better],
        rank_to=[len(arms) - len(each) for each in worse],
        tied_with=pd.array([" ".join(each) or None for each in tied], dtype="str"),
        published_speed_rank=_rank(-arms["published_tokens_per_s"]),
        speed_rank=_rank(-arms["train_tokens_per_s"]),
    )
    fits = table["published_rank"].between(table["rank_from"], table["rank_to"])
    return table.assign(is_consistent=fits).sort_values("published_rank")


def _relations(
    routers: set[str], capacity_factor: float, contrasts: pd.DataFrame
) -> dict[str, dict[str, str | None]]:
    """Verdict on each router against each other: ``lower`` is better."""
    pairs = contrasts[
        (contrasts["factor"] == "router")
        & contrasts["router_a"].isin(routers)
        & contrasts["router_b"].isin(routers)
        & (contrasts["capacity_factor_a"] == capacity_factor)
        & (contrasts["capacity_factor_b"] == capacity_factor)
    ]
    relation: dict[str, dict[str, str | None]] = {router: {} for router in routers}
    for a, b, given in zip(pairs["router_a"], pairs["router_b"], pairs["verdict"], strict=True):
        verdict = None if pd.isna(given) else str(given)
        relation[a][b], relation[b][a] = verdict, MIRROR[verdict]
    assert all(len(known) == len(routers) - 1 for known in relation.values()), "a pair is missing"
    return relation


def _with_verdict(relation: dict[str, str | None], verdict: str) -> list[str]:
    """The others to which a router stands in this relation."""
    return sorted(other for other, each in relation.items() if each == verdict)


def _rank(values: "pd.Series[float]") -> "pd.Series[int]":
    return values.rank(method="min").astype(int)
