"""What came out of an experiment, in sentences: every number, name and tie is read from its tables."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from moebench.figures import style
from moebench.figures.frontier import is_unsure
from moebench.figures.notes import join
from moebench.report import rst

KEY = ("router", "capacity_factor")
Arm = tuple[str, float | None]
COLUMNS = {  # of the table of arms: heading, column, format
    "perplexity": ("val_ppl", "{:.3f}"),
    "from": ("val_ppl_low", "{:.3f}"),
    "to": ("val_ppl_high", "{:.3f}"),
    "bits per byte": ("val_bits_per_byte", "{:.3f}"),
    "tokens/s": ("train_tokens_per_s", "{:,.0f}"),
    "active parameters": ("num_active_params", "{:,.0f}"),
    "dropped": ("drop_rate", "{:.1%}"),
    "unrouted": ("unrouted_rate", "{:.1%}"),
    "load CV asked": ("load_cv_routed", "{:.2f}"),
    "load CV served": ("load_cv", "{:.2f}"),
    "P(frontier)": ("p_on_frontier", "{:.2f}"),
}


def page(
    experiment: str,
    summary: pd.DataFrame,
    contrasts: pd.DataFrame,
    tokens: Mapping[str, Any],
    comparison: pd.DataFrame | None = None,
) -> list[str]:
    """Parts of the page on one experiment; ``comparison`` with published numbers, where there is."""
    came_out = [
        *quality(summary, contrasts),
        *against_dense(summary, contrasts),
        *speed(summary),
        *frontier(summary),
        *balance(summary),
        *against_bigram(summary, tokens),
    ]
    parts = [
        rst.heading(f"Experiment {experiment}", 1),
        rst.bullets(asked(summary, tokens)),
        rst.heading("What came out", 2),
        rst.bullets(came_out),
    ]
    if comparison is not None and len(comparison):
        parts += [
            rst.heading("The published order and this one", 2),
            rst.bullets(against_published(comparison)),
        ]
    return [*parts, rst.heading("All arms", 2), arms_table(summary)]


def asked(summary: pd.DataFrame, tokens: Mapping[str, Any]) -> list[str]:
    """What was compared, on what."""
    routed = summary[summary["capacity_factor"].notna()]
    dense = summary[summary["capacity_factor"].isna()]
    names = [style.label(router) for router in style.order(routed["router"])]
    factors = [str(float(factor)) for factor in sorted(routed["capacity_factor"].unique())]
    sentences = []
    if names:
        sentences.append(
            f"Which router is worth its cost? Compared: {join(names)}, at capacity factor "
            f"{join(factors)}."
        )
    if len(dense):
        sentences.append(f"Baselines: {join(map(style.label, style.order(dense['router'])))}.")
    sizes = [
        f"{_range(summary[column])} {what}"
        for column, what in (("num_layers", "layers"), ("num_experts", "experts"), ("dim", "wide"))
    ]
    sentences.append(f"Model: {', '.join(sizes)}.")
    sentences.append(f"Seeds of each arm: {_range(summary['num_seeds'])}.")
    sentences.append(
        f"Text: {tokens['num_train_tokens']:,} tokens for training, "
        f"{tokens['num_validation_tokens']:,} held out, tokenizer {tokens['tokenizer']} with "
        f"{tokens['vocab_size']:,} entries."
    )
    return sentences


def quality(summary: pd.DataFrame, contrasts: pd.DataFrame) -> list[str]:
    """The best causal arm, what ties with it, and what non-causal arms reach."""
    causal = summary[summary["causality"] != style.NON_CAUSAL]
    sentences = []
    for which, arms in (("causal arms", causal), ("routers among them", _routed(causal))):
        if len(arms):
            best = arms.loc[arms["val_nll_nats"].idxmin()]
            sentences.append(f"Lowest perplexity of the {which}: {_name(best)}, {_ppl(best)}.")
            sentences += verdicts(_arm(best), summary, contrasts)
    for each in summary[summary["causality"] == style.NON_CAUSAL].to_dict("records"):
        sentences.append(
            f"{_name(each)} reaches {_ppl(each)}, but it is non-causal: its routing looks at later "
            "tokens, so text cannot be generated at that score and it is in no ranking here."
        )
    return list(dict.fromkeys(sentences))


def verdicts(arm: Arm, summary: pd.DataFrame, contrasts: pd.DataFrame) -> list[str]:
    """How an arm compares with each causal arm that differs from it in one thing only."""
    causal = set(map(_arm, summary[summary["causality"] != style.NON_CAUSAL].to_dict("records")))
    others: dict[str, list[str]] = {"tie": [], "higher": [], "lower": [], "untested": []}
    for other, verdict in relations(arm, contrasts).items():
        if other in causal:
            others[verdict or "untested"].append(style.cell(*other))
    name = style.cell(*arm)
    phrases = {
        "tie": f"{name} ties with {{}}: paired by seed, the difference is not told from none.",
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
        a, b = (_arm({k: pair[f"{k}_{side}"] for k in KEY}) for side in "ab")
        verdict = None if pd.isna(pair["verdict"]) else str(pair["verdict"])
        if a == arm:
            found[b] = verdict
        elif b == arm:
            found[a] = mirror[verdict] if verdict else None
    return found


def against_dense(summary: pd.DataFrame, contrasts: pd.DataFrame) -> list[str]:
    """How many routed causal arms are better, tied or worse than each dense network."""
    routed = _routed(summary[summary["causality"] != style.NON_CAUSAL])
    names = {_arm(each) for each in routed.to_dict("records")}
    sentences = []
    for each in summary[summary["capacity_factor"].isna()].to_dict("records"):
        known = {a: v for a, v in relations(_arm(each), contrasts).items() if a in names and v}
        if known:
            count = {
                verdict: list(known.values()).count(verdict)
                for verdict in ("higher", "tie", "lower")
            }
            sentences.append(
                f"Of {len(known)} causal routed arms, {count['higher']} are better than "
                f"{_name(each)} ({_ppl(each)}), {count['tie']} tie with it and {count['lower']} are "
                "worse."
            )
    return sentences


def speed(summary: pd.DataFrame) -> list[str]:
    """The fastest and the slowest arm."""
    timed = summary.dropna(subset=["train_tokens_per_s"])
    if timed.empty:
        return ["No speed was measured."]
    ends = [timed.loc[getattr(timed["train_tokens_per_s"], end)()] for end in ("idxmax", "idxmin")]
    fast, slow = (f"{_name(each)}, {each['train_tokens_per_s']:,.0f} tokens/s" for each in ends)
    ratio = ends[0]["train_tokens_per_s"] / ends[1]["train_tokens_per_s"]
    return [f"Fastest in training: {fast}; slowest: {slow}, a factor of {ratio:.2f}."]


def frontier(summary: pd.DataFrame) -> list[str]:
    """Who is on the Pareto frontier of quality and speed, and how surely."""
    arms = summary.to_dict("records")
    members = [_name(each) for each in arms if each["on_frontier"]]
    sentences = [f"On the frontier of perplexity and speed: {join(members)}."] if members else []
    open_ones = [
        f"{_name(each)} ({each['p_on_frontier']:.2f})"
        for each in arms
        if is_unsure(each["p_on_frontier"])
    ]
    if open_ones:
        sentences.append(
            "For these the measurement leaves membership open (its probability): "
            f"{join(open_ones)}."
        )
    return sentences


def balance(summary: pd.DataFrame) -> list[str]:
    """Who drops most, and who drops nothing."""
    known = summary.dropna(subset=["drop_rate", "unrouted_rate"])
    if known.empty:
        return []
    most = known.loc[known["drop_rate"].idxmax()]
    nothing = [_name(each) for each in known[known["drop_rate"] == 0].to_dict("records")]
    sentences = [
        f"Most assignments dropped: {_name(most)}, {most['drop_rate']:.1%}; "
        f"{most['unrouted_rate']:.1%} of its tokens reach no expert."
    ]
    if most["drop_rate"] == 0:
        sentences = ["No arm drops an assignment."]
    elif nothing:
        sentences.append(f"Nothing is dropped by {join(nothing)}.")
    return sentences


def against_bigram(summary: pd.DataFrame, tokens: Mapping[str, Any]) -> list[str]:
    """Whether the models have learnt more than pairs of tokens."""
    bigram = tokens["bigram_val_ppl"]
    below = summary[summary["val_ppl"] < bigram]
    return [
        f"A bigram model has perplexity {bigram:.3f} on the same held-out text; {len(below)} of "
        f"{len(summary)} arms are below."
    ]


def against_published(comparison: pd.DataFrame) -> list[str]:
    """The published ranking of each capacity factor beside the one measured here."""
    sentences = []
    for factor, arms in comparison.groupby("capacity_factor"):
        there = [style.label(name) for name in arms.sort_values("published_rank")["router"]]
        here = [style.label(name) for name in arms.sort_values("rank")["router"]]
        fits = int(arms["is_consistent"].sum())
        sentences.append(
            f"Capacity factor {factor}, best first: published {', '.join(there)}; here "
            f"{', '.join(here)}. The seeds are compatible with {fits} of {len(arms)} published ranks."
        )
    return sentences


def arms_table(summary: pd.DataFrame) -> str:
    """One row per arm, best perplexity first; a dash stands for what does not exist."""
    rows = [
        [
            _name(each),
            each["causality"],
            *(_cell(each[column], form) for column, form in COLUMNS.values()),
        ]
        for each in summary.sort_values("val_nll_nats").to_dict("records")
    ]
    return rst.table(["arm", "causality", *COLUMNS], rows)


def _cell(value: Any, form: str) -> str:
    return "–" if pd.isna(value) else form.format(value)


def _arm(each: Any) -> Arm:
    factor = each["capacity_factor"]
    return str(each["router"]), None if pd.isna(factor) else float(factor)


def _name(each: Any) -> str:
    return style.cell(*_arm(each))


def _ppl(each: Any) -> str:
    if pd.isna(each["val_ppl_low"]):
        return f"perplexity {each['val_ppl']:.3f} (no interval: too few seeds)"
    return f"perplexity {each['val_ppl']:.3f} ({each['val_ppl_low']:.3f} to {each['val_ppl_high']:.3f})"


def _routed(summary: pd.DataFrame) -> pd.DataFrame:
    return summary[summary["capacity_factor"].notna()]


def _range(values: "pd.Series[int]") -> str:
    low, high = values.min(), values.max()
    return str(low) if low == high else f"{low} to {high}"
