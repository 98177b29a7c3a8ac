"""What came out of an experiment, in sentences: every number, name and tie from its tables."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from moebench.analysis.certificates import gate
from moebench.figures import style
from moebench.figures.notes import join
from moebench.report import arms, comparisons, gains, rst

COLUMNS = {  # of the table of arms: heading, column, format
    "perplexity": ("val_ppl_causal", "{:.3f}"),
    "from": ("val_ppl_causal_low", "{:.3f}"),
    "to": ("val_ppl_causal_high", "{:.3f}"),
    "with later tokens": ("val_ppl", "{:.3f}"),
    "bits per byte": ("val_bits_per_byte_causal", "{:.3f}"),
    "tokens/s": ("train_tokens_per_s", "{:,.0f}"),
    "active parameters": ("num_active_params", "{:,.0f}"),
    "dropped": ("drop_rate", "{:.1%}"),
    "unrouted": ("unrouted_rate", "{:.1%}"),
    "load CV asked": ("load_cv_routed", "{:.2f}"),
    "load CV served": ("load_cv", "{:.2f}"),
    "P(frontier)": ("p_on_frontier", "{:.2f}"),
}


SETTLED_NATS = 0.005  # a loss that moves by less is at its end: half a per cent of the perplexity
# How a router that looks at later tokens is scored without them.
MODES = {"threshold": "an expert takes whoever is as good as those it took on training text"}


def page(
    experiment: str,
    tables: Mapping[str, pd.DataFrame],
    tokens: Mapping[str, Any],
) -> list[str]:
    """Parts of the page on one experiment.

    ``tables`` are summary, contrasts, curves, hypervolume, speed_up, and comparison with published
    numbers if there is any.
    """
    summary, contrasts = tables["summary"], tables["contrasts"]
    comparison = tables.get("comparison")
    came_out = [
        *quality(summary, contrasts),
        *comparisons.against_dense(summary, contrasts),
        *speed(summary),
        *frontier(summary),
        *gains.volume(tables["hypervolume"]),
        *gains.speed_up(tables["speed_up"]),
        *balance(summary),
        *against_bigram(summary, tokens),
        *at_the_end(tables["curves"]),
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
            rst.bullets(comparisons.against_published(comparison)),
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
        question = "Which router is worth its cost? " if len(names) > 1 else ""
        sentences.append(f"{question}Compared: {join(names)}, at capacity factor {join(factors)}.")
    if routed["gate"].nunique() > 1:
        sentences.append(f"Gates: {join(sorted(routed['gate'].unique()))}.")
    if len(dense):
        sentences.append(f"Baselines: {join(map(style.label, style.order(dense['router'])))}.")
    sizes = [
        f"{rst.span(summary[column])} {what}"
        for column, what in (("num_layers", "layers"), ("num_experts", "experts"), ("dim", "wide"))
    ]
    sentences.append(f"Model: {', '.join(sizes)}.")
    sentences.append(f"Seeds of each arm: {rst.span(summary['num_seeds'])}.")
    sentences.append(
        f"Text: {tokens['num_train_tokens']:,} tokens for training, "
        f"{tokens['num_validation_tokens']:,} held out, tokenizer {tokens['tokenizer']} with "
        f"{tokens['vocab_size']:,} entries."
    )
    return sentences


def quality(summary: pd.DataFrame, contrasts: pd.DataFrame) -> list[str]:
    """The best arm without later tokens, what ties with it, and what some reach with them."""
    ranked_arms = summary[gate.may_be_ranked(summary)]
    sentences = []
    named: list[arms.Arm] = []
    for which, ranked in (("arms", ranked_arms), ("routers among them", arms.routed(ranked_arms))):
        best = arms.extreme(ranked, "val_nll_causal_nats") if len(ranked) else None
        if best is not None and arms.arm(best) not in named:
            named.append(arms.arm(best))
            sentences.append(
                f"Lowest perplexity of the {which}: {arms.name(best)}, {arms.ppl(best)}."
            )
            sentences += comparisons.verdicts(arms.arm(best), summary, contrasts)
    for each in summary[summary["causality"] == style.NON_CAUSAL].to_dict("records"):
        sentences.append(
            f"{arms.name(each)} looks at later tokens, and with them in view has perplexity "
            f"{each['val_ppl']:.3f}, at which no text can be generated. What counts here is "
            f"{arms.ppl(each)}, reached without them: {MODES[each['causal_mode']]}, "
            f"{each['causal_effective_k']:.2f} experts a token."
        )
    for each in summary[gate.hides_later_tokens(summary)].to_dict("records"):
        sentences.append(
            f"{arms.name(each)} is ranked nowhere: its certificate shows that it looks at later "
            f"tokens, and it declares to be {each['causality']}."
        )
    for each in summary[gate.is_legacy(summary)].to_dict("records"):
        sentences.append(
            f"{arms.name(each)} repeats a published mistake on purpose and is ranked nowhere."
        )
    return sentences


def speed(summary: pd.DataFrame) -> list[str]:
    """The fastest and the slowest arm."""
    timed = summary.dropna(subset=["train_tokens_per_s"])
    if timed.empty:
        return ["No speed was measured."]
    ends = [arms.extreme(timed, "train_tokens_per_s", largest=end) for end in (True, False)]
    fast, slow = (f"{arms.name(each)}, {each['train_tokens_per_s']:,.0f} tokens/s" for each in ends)
    ratio = ends[0]["train_tokens_per_s"] / ends[1]["train_tokens_per_s"]
    return [f"Fastest in training: {fast}; slowest: {slow}, a factor of {ratio:.2f}."]


def frontier(summary: pd.DataFrame) -> list[str]:
    """Who is on the Pareto frontier of quality and speed, and how surely."""
    each_arm = summary.to_dict("records")
    members = [arms.name(each) for each in each_arm if each["on_frontier"]]
    sentences = [f"On the frontier of perplexity and speed: {join(members)}."] if members else []
    open_ones = [
        f"{arms.name(each)} ({each['p_on_frontier']:.2f})"
        for each in each_arm
        if style.is_unsure(each["p_on_frontier"])
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
    most = arms.extreme(known, "drop_rate", largest=True)
    nothing = [arms.name(each) for each in known[known["drop_rate"] == 0].to_dict("records")]
    sentences = [
        f"Most assignments dropped: {arms.name(most)}, {most['drop_rate']:.1%}; "
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
    below = summary[summary["val_ppl_causal"] < bigram]
    return [
        f"A bigram model has perplexity {bigram:.3f} on the same held-out text; {len(below)} of "
        f"{len(summary)} arms are below."
        + (
            ""
            if len(below)
            else " They have not learnt more than pairs of tokens: do not compare "
            "routers by this experiment."
        )
    ]


def at_the_end(curves: pd.DataFrame) -> list[str]:
    """How far the held-out loss still fell between the last two scorings, over all runs."""
    losses = curves[curves["quantity"] == "val_nll_nats"].sort_values("step")
    run = list(losses.columns.drop(["step", "quantity", "value"]))
    ends = [each.iloc[-2:] for _, each in losses.groupby(run, dropna=False) if len(each) > 1]
    if not ends:
        return []
    change = float(np.mean([each["value"].iloc[1] - each["value"].iloc[0] for each in ends]))
    steps = {tuple(each["step"]) for each in ends}
    when = (
        "the last two scorings of a run"
        if len(steps) > 1
        else "steps {} and {}".format(*ends[0]["step"])
    )
    told = (
        "longer training would lower it further, and may change the order"
        if change < -SETTLED_NATS
        else "longer training would change little"
    )
    return [
        f"Between {when} the held-out loss moved by {change:+.3f} nats in the mean over all runs: "
        f"{told}."
    ]


def arms_table(summary: pd.DataFrame) -> str:
    """One row per arm, best perplexity first; a dash stands for what does not exist."""
    rows = [
        [
            arms.name(each),
            each["causality"],
            *(rst.shown(each[column], form) for column, form in COLUMNS.values()),
        ]
        for each in summary.sort_values("val_nll_causal_nats").to_dict("records")
    ]
    return rst.table(["arm", "causality", *COLUMNS], rows)
