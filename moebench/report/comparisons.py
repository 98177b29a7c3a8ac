"""Arms against arms, and against the published order; a tie is called a tie."""

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import pandas as pd

from moebench.analysis.certificates.gate import may_be_ranked
from moebench.figures import style
from moebench.figures.notes import join
from moebench.report import arms
from moebench.report.arms import KEY, Arm

MIRROR = {"better": "worse", "worse": "better", "equivalent": "equivalent", "tie": "tie"}
Told = tuple[str | None, float, float]  # conclusion, margin and minimum detectable, both in nats


def verdicts(arm: Arm, summary: pd.DataFrame, contrasts: pd.DataFrame) -> list[str]:
    """How an arm compares with each ranked arm that differs from it in one thing only."""
    ranked = set(map(arms.arm, summary[may_be_ranked(summary)].to_dict("records")))
    found = {other: told for other, told in conclusions(arm, contrasts).items() if other in ranked}
    others: dict[str, list[Arm]] = {
        key: [] for key in ("equivalent", "tie", "better", "worse", "untested")
    }
    for other, (conclusion, _, _) in found.items():
        others[conclusion or "untested"].append(other)
    name = style.cell(*arm)
    phrases = {
        "equivalent": f"{name} is equivalent to {{}}: whatever difference there is lies within "
        f"{_shares(found, others['equivalent'], 1)} of the perplexity, too little to matter.",
        "tie": f"{name} ties with {{}}: over the same seeds, nothing tells them apart, nor shows "
        "that they are equivalent. Perplexities that differ by "
        f"{_shares(found, others['tie'], 2)} would have been told apart in four experiments of "
        "five.",
        "better": f"{name} is better than {{}}, beyond the spread of the seeds.",
        "worse": f"{name} is worse than {{}}, beyond the spread of the seeds.",
        "untested": f"{name} was not tested against {{}}: that takes more than one seed.",
    }
    return [
        phrases[key].format(join(style.cell(*each) for each in named))
        for key, named in others.items()
        if named
    ]


def conclusions(arm: Arm, contrasts: pd.DataFrame) -> dict[Arm, Told]:
    """What was concluded on an arm against each that it was contrasted with."""
    found: dict[Arm, Told] = {}
    for pair in contrasts.to_dict("records"):
        a, b = (arms.arm({k: pair[f"{k}_{side}"] for k in KEY}) for side in "ab")
        told = None if pd.isna(pair["conclusion"]) else str(pair["conclusion"])
        sizes = pair["margin_nats"], pair["minimum_detectable_nats"]
        if a == arm:
            found[b] = (told, *sizes)
        elif b == arm:
            found[a] = (MIRROR[told] if told else None, *sizes)
    return found


def _shares(found: Mapping[Arm, Told], others: Sequence[Arm], which: Literal[1, 2]) -> str:
    """Sizes in nats as shares of the perplexity, smallest and largest."""
    sizes = sorted(math.expm1(found[other][which]) for other in others)
    return " to ".join(dict.fromkeys(f"{size:.1%}" for size in (*sizes[:1], *sizes[-1:])))


def against_dense(summary: pd.DataFrame, contrasts: pd.DataFrame) -> list[str]:
    """How many routed arms are better, tied or worse than each dense network, which is asked."""
    routed = arms.routed(summary[may_be_ranked(summary)])
    names = set(map(arms.arm, routed.to_dict("records")))
    sentences = []
    for each in summary[summary["capacity_factor"].isna()].to_dict("records"):
        told = conclusions(arms.arm(each), contrasts)
        known = [told[arm][0] for arm in names if arm in told and told[arm][0]]
        if known:
            ties = known.count("tie") + known.count("equivalent")
            sentences.append(
                f"Of {len(known)} routed arms, {known.count('worse')} are better than "
                f"{arms.name(each)}, {ties} tie with it and {known.count('better')} are worse."
            )
    return sentences


def against_published(comparison: pd.DataFrame) -> list[str]:
    """The published ranking of each capacity factor beside the one measured here."""
    sentences = []
    for factor, ranks in comparison.groupby("capacity_factor"):
        there = [style.label(name) for name in ranks.sort_values("published_rank")["router"]]
        here = [style.label(name) for name in ranks.sort_values("rank")["router"]]
        fits = int(ranks["is_consistent"].sum())
        sentences.append(
            f"Capacity factor {factor}, best first: published {', '.join(there)}; here "
            f"{', '.join(here)}. The seeds are compatible with {fits} of "
            f"{len(ranks)} published ranks."
        )
    return sentences
