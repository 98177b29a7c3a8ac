"""What capacity drops and costs, in sentences: every number and name from the tables."""

from typing import Any

import pandas as pd

from moebench.figures import style
from moebench.figures.capacities import TITLES, routings
from moebench.figures.notes import join
from moebench.report import rst

COLUMNS = {  # heading: column, format
    "E": ("num_experts", "{:d}"),
    "K": ("top_k", "{:d}"),
    "policy": ("policy", "{}"),
    "CF": ("capacity_factor", "{:g}"),
    "dropped": ("drop_rate", "{:.2%}"),
    "unrouted": ("unrouted_rate", "{:.2%}"),
    "empty rows": ("padding_waste", "{:.0%}"),
    "buffer, bytes": ("buffer_bytes", "{:,d}"),
    "tokens/s packed": ("pack_tokens_per_s", "{:,.0f}"),
    "tokens/s with experts": ("layer_tokens_per_s", "{:,.0f}"),
}


def page(capacity: pd.DataFrame, published: pd.DataFrame) -> list[str]:
    """Parts of the page on the capacity room."""
    # Routings without a router are told apart by an empty name, for nulls do not compare.
    capacity = capacity.assign(router=capacity["router"].astype(object).fillna(""))
    found = [
        *hidden(capacity),
        *against_published(capacity, published),
        *needed(capacity),
        *policies(capacity),
        *cost(capacity),
    ]
    return [
        rst.heading("Capacity: what it drops and what it costs", 1),
        rst.bullets([asked(capacity)]),
        rst.heading("What came out of capacity", 2),
        rst.bullets(found),
        rst.heading("All capacities", 2),
        all_cells(capacity),
    ]


def asked(capacity: pd.DataFrame) -> str:
    """What was routed, and how often."""
    one = capacity.iloc[0]
    names = join(TITLES[name] for name in routings(capacity))
    return (
        f"How many slots should an expert have? Routed: {names}; {one['num_tokens']:,d} tokens of "
        f"width {one['dim']}, experts of hidden width {one['expert_dim']}, "
        f"{one['num_rounds']} rounds, each with a routing of its own."
    )


def hidden(capacity: pd.DataFrame) -> list[str]:
    """What skewed and trained routings drop where independent normal logits drop little."""
    padded = _padded(capacity)
    normal = padded[padded["routing"] == "normal"].groupby("capacity_factor")["drop_rate"].max()
    sentences = []
    for factor, uniform in normal.items():
        here = padded[padded["capacity_factor"] == factor]
        parts = []
        for routing in ("zipf", "trace"):
            rates = here[here["routing"] == routing]
            if len(rates):
                parts.append(f"{TITLES[routing]} lose {_range(rates['drop_rate'])}")
        if parts:
            sentences.append(
                f"At capacity factor {factor:g} independent normal logits lose at most "
                f"{uniform:.1%} of the assignments, while {join(parts)}."
            )
    return sentences


def against_published(capacity: pd.DataFrame, published: pd.DataFrame) -> list[str]:
    """What was published at a capacity factor, beside trained routers at the same."""
    trained = _padded(capacity)
    trained = trained[trained["routing"] == "trace"]
    both = sorted(set(trained["capacity_factor"]) & set(published["capacity_factor"]))
    if not both:
        return []
    factor = 1.25 if 1.25 in both else both[-1]
    theirs = published[published["capacity_factor"] == factor]["published_drop_rate"]
    ours = trained[trained["capacity_factor"] == factor].sort_values("drop_rate")
    ends = [f"{_who(row)} {row['drop_rate']:.1%}" for row in ours.to_dict("records")]
    return [
        f"Published for capacity factor {factor:g}, with independent normal logits over "
        f"{published['num_experts'].min()} to {published['num_experts'].max()} experts: at most "
        f"{theirs.max():.2%} dropped. The trained routers here: {join(ends)}."
    ]


def needed(capacity: pd.DataFrame) -> list[str]:
    """The largest load of each trained router, which no capacity below it can serve."""
    trained = capacity[capacity["routing"] == "trace"]
    found = trained.groupby("router", sort=False)["max_vio"].max().sort_values()
    if found.empty:
        return []
    told = [f"{style.label(str(router))} {1 + vio:.2f}" for router, vio in found.items()]
    return [f"Capacity factor at which nothing would be dropped, on average: {join(told)}."]


def policies(capacity: pd.DataFrame) -> list[str]:
    """Whether dropping small weights leaves fewer tokens without an expert."""
    padded = _padded(capacity)
    keys = ["routing", "router", "num_experts", "top_k", "capacity_factor"]
    both = padded[padded["policy"] == "position"].merge(
        padded[padded["policy"] == "gate"], on=keys, suffixes=("", "_by_gate")
    )
    if both.empty:
        return []
    both["gain"] = both["unrouted_rate"] - both["unrouted_rate_by_gate"]
    best = both.sort_values("gain", kind="stable").to_dict("records")[-1]
    if not best["gain"] > 0:
        return ["Who is dropped makes no difference to how many tokens are without an expert."]
    return [
        "Dropping smaller weights instead of later tokens leaves fewer tokens without an expert, "
        f"most of all with {_who(best)} (K {best['top_k']}) at capacity factor "
        f"{best['capacity_factor']:g}: {best['unrouted_rate_by_gate']:.1%} instead of "
        f"{best['unrouted_rate']:.1%}. It looks at later tokens, so no text can be generated that "
        "way."
    ]


def cost(capacity: pd.DataFrame) -> list[str]:
    """What the largest capacity costs, and how dropless compares with it."""
    padded = _padded(capacity)
    factors = sorted(padded["capacity_factor"].unique())
    if len(factors) < 2:
        return []
    keys = ["routing", "router", "num_experts", "top_k", "policy"]
    wide = padded.pivot(
        index=keys, columns="capacity_factor", values=["layer_time_s", "buffer_bytes"]
    )
    time = wide["layer_time_s"][factors[-1]] / wide["layer_time_s"][factors[0]]
    size = wide["buffer_bytes"][factors[-1]] / wide["buffer_bytes"][factors[0]]
    sentences = [
        f"A padded buffer is not free: from capacity factor {factors[0]:g} to {factors[-1]:g} it "
        f"grows {size.median():.2f} times, and a layer takes {time.median():.2f} times as long "
        f"(median over cells; {time.min():.2f} to {time.max():.2f})."
    ]
    dropless = capacity[capacity["policy"] == "none"]
    if len(dropless):
        merged = padded[padded["capacity_factor"] == factors[-1]].merge(
            dropless, on=keys[:-1], suffixes=("", "_dropless")
        )
        ratio = merged["layer_time_s"] / merged["layer_time_s_dropless"]
        sentences.append(
            f"At capacity factor {factors[-1]:g} it takes {ratio.median():.2f} times as long as "
            f"dropless, which loses nothing (median over cells; {ratio.min():.2f} to "
            f"{ratio.max():.2f})."
        )
    return sentences


def all_cells(capacity: pd.DataFrame) -> str:
    """One row per cell; a dash stands for what does not exist."""
    rows = [
        [_who(row), *(rst.shown(row[column], form) for column, form in COLUMNS.values())]
        for row in capacity.to_dict("records")
    ]
    return rst.table(["routing", *COLUMNS], rows)


def _padded(capacity: pd.DataFrame) -> pd.DataFrame:
    return capacity[capacity["capacity_factor"].notna()]


def _range(rates: "pd.Series[float]") -> str:
    low, high = f"{rates.min():.1%}", f"{rates.max():.1%}"
    return low if low == high else f"{low} to {high}"


def _who(row: Any) -> str:
    """Name of a routing: of its router, where it has one."""
    return style.label(row["router"]) if row["routing"] == "trace" else TITLES[row["routing"]]
