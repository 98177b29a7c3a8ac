"""Whether the routers keep their order, in sentences: every number from the tables."""

from typing import Any

import pandas as pd

from moebench.figures import style
from moebench.figures.conditions import label
from moebench.figures.notes import join
from moebench.report import rst


def page(stability: pd.DataFrame, ranks: pd.DataFrame) -> list[str]:
    """Parts of the page, from the two tables."""
    return [
        rst.heading("Does the order of the routers hold everywhere?", 1),
        rst.bullets([*claim(stability, ranks), *best(ranks), *without_later_tokens(ranks)]),
        rst.heading("Condition against condition", 2),
        pairs_table(stability),
    ]


def claim(stability: pd.DataFrame, ranks: pd.DataFrame) -> list[str]:
    """The same order everywhere, as a claim that was put to the test."""
    if stability.empty:
        return ["Fewer than two conditions rank two routers, so there is nothing to compare."]
    num_conditions = ranks["condition"].nunique()
    lowest = stability.dropna(subset=["kendall_tau"]).sort_values("kendall_tau", kind="stable")
    counts = {
        key: int(stability[f"num_{key}"].sum()) for key in ("pairs", "same", "reversed", "open")
    }
    sentences = [
        f"“The same order of routers everywhere” is {_outcome(stability)} by {num_conditions} "
        f"conditions: of {counts['pairs']} comparisons of two routers between two conditions, "
        f"{counts['same']} have the same order, beyond the spread of the seeds in both, "
        f"{counts['reversed']} the reverse, and {counts['open']} are left open: the seeds do not "
        "tell the two apart in both."
    ]
    if len(lowest):
        ends = [lowest.iloc[0]] if len(lowest) == 1 else [lowest.iloc[0], lowest.iloc[-1]]
        names = ("Kendall's tau",) if len(ends) == 1 else ("Lowest Kendall's tau", "highest")
        said = [f"{name} {_tau(end)}" for name, end in zip(names, ends, strict=True)]
        sentences.append(f"{'; '.join(said)}.")
    for each in stability.dropna(subset=["reversed"]).to_dict("records"):
        pairs = [join(map(style.label, pair.split())) for pair in each["reversed"].split("; ")]
        sentences.append(
            f"Between {_between(each)} the order turns round of {'; of '.join(pairs)}."
        )
    return sentences


def best(ranks: pd.DataFrame) -> list[str]:
    """Who is best in each condition, how surely, and with whom it ties."""
    sentences = []
    for each in ranks[ranks["rank"] == 1].to_dict("records"):
        name = style.label(each["router"])
        chance = (
            "" if pd.isna(each["p_best"]) else f", the best in {each['p_best']:.0%} of the draws"
        )
        tied = each["tied_with"]
        others = "" if pd.isna(tied) else f"; it ties with {join(map(style.label, tied.split()))}"
        sentences.append(
            f"{label(each['condition'])}: lowest perplexity by {name}{chance}{others}."
        )
    return sentences


def without_later_tokens(ranks: pd.DataFrame) -> list[str]:
    """Who looks at later tokens, and by what it is ranked nevertheless."""
    looking = style.order(ranks.loc[ranks["causality"] == style.NON_CAUSAL, "router"])
    return [
        f"{style.label(router)} looks at later tokens; it is ranked by what it reaches without "
        "them."
        for router in looking
    ]


def pairs_table(stability: pd.DataFrame) -> str:
    """One row per pair of conditions."""
    rows = [
        [
            label(each["condition_a"]),
            label(each["condition_b"]),
            str(each["num_routers"]),
            _interval(each),
            *(str(each[f"num_{key}"]) for key in ("same", "reversed", "open")),
            each["verdict"],
        ]
        for each in stability.to_dict("records")
    ]
    header = ["one", "other", "routers", "Kendall's tau", "same", "reversed", "open", "order"]
    return rst.table(header, rows)


def _outcome(stability: pd.DataFrame) -> str:
    if stability["num_reversed"].sum():
        return "contradicted"
    return (
        "borne out" if (stability["verdict"] == "same").all() else "neither shown nor contradicted"
    )


def _tau(each: Any) -> str:
    return f"{_interval(each)} over {each['num_routers']} routers, between {_between(each)}"


def _interval(each: Any) -> str:
    if pd.isna(each["kendall_tau"]):
        return "–"
    if pd.isna(each["kendall_tau_low"]):
        return f"{each['kendall_tau']:.2f} (no interval: too few seeds)"
    return (
        f"{each['kendall_tau']:.2f} ({each['kendall_tau_low']:.2f} to "
        f"{each['kendall_tau_high']:.2f})"
    )


def _between(each: Any) -> str:
    return join([label(str(each["condition_a"])), label(str(each["condition_b"]))])
