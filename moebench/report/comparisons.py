"""Arms against arms, and against the published order; a tie is called a tie."""

import pandas as pd

from moebench.figures import style
from moebench.figures.notes import join
from moebench.report import arms
from moebench.report.arms import KEY, Arm


def verdicts(arm: Arm, summary: pd.DataFrame, contrasts: pd.DataFrame) -> list[str]:
    """How an arm compares with each ranked arm that differs from it in one thing only."""
    ranked = set(map(arms.arm, summary[~arms.lie(summary)].to_dict("records")))
    others: dict[str, list[str]] = {"tie": [], "higher": [], "lower": [], "untested": []}
    for other, verdict in relations(arm, contrasts).items():
        if other in ranked:
            others[verdict or "untested"].append(style.cell(*other))
    name = style.cell(*arm)
    phrases = {
        "tie": f"{name} ties with {{}}: over the same seeds, nothing tells them apart.",
        "lower": f"{name} is better than {{}}, beyond the spread of the seeds.",
        "higher": f"{name} is worse than {{}}, beyond the spread of the seeds.",
        "untested": f"{name} was not tested against {{}}: that takes more than one seed.",
    }
    return [phrases[key].format(join(names)) for key, names in others.items() if names]


def relations(arm: Arm, contrasts: pd.DataFrame) -> dict[Arm, str | None]:
    """Verdict of an arm on each that it was contrasted with: ``lower`` is better."""
    mirror = {"lower": "higher", "higher": "lower", "tie": "tie"}
    found: dict[Arm, str | None] = {}
    for pair in contrasts.to_dict("records"):
        a, b = (arms.arm({k: pair[f"{k}_{side}"] for k in KEY}) for side in "ab")
        verdict = None if pd.isna(pair["verdict"]) else str(pair["verdict"])
        if a == arm:
            found[b] = verdict
        elif b == arm:
            found[a] = mirror[verdict] if verdict else None
    return found


def against_dense(summary: pd.DataFrame, contrasts: pd.DataFrame) -> list[str]:
    """How many routed arms are better, tied or worse than each dense network."""
    routed = arms.routed(summary[~arms.lie(summary)])
    names = {arms.arm(each) for each in routed.to_dict("records")}
    sentences = []
    for each in summary[summary["capacity_factor"].isna()].to_dict("records"):
        known = {a: v for a, v in relations(arms.arm(each), contrasts).items() if a in names and v}
        if known:
            count = {
                verdict: list(known.values()).count(verdict)
                for verdict in ("higher", "tie", "lower")
            }
            sentences.append(
                f"Of {len(known)} routed arms, {count['higher']} are better than "
                f"{arms.name(each)}, {count['tie']} tie with it and "
                f"{count['lower']} are worse."
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
