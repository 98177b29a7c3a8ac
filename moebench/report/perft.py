"""What came out of the PERFT room, in sentences: every number, name and tie from its tables."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from moebench.figures import adapters
from moebench.figures.base import rows
from moebench.figures.notes import join
from moebench.figures.perft_frontier import members, twins, unsure
from moebench.figures.perft_published import READINGS
from moebench.records import Row
from moebench.report import rst

COLUMNS = (  # of the table of adapters: heading, column, format
    ("accuracy", "accuracy", "{:.3f}"),
    ("from", "accuracy_low", "{:.3f}"),
    ("to", "accuracy_high", "{:.3f}"),
    ("nats per answer token", "answer_nll_nats", "{:.4f}"),
    ("from", "answer_nll_nats_low", "{:.4f}"),
    ("to", "answer_nll_nats_high", "{:.4f}"),
    ("trainable", "num_trainable_params", "{:,.0f}"),
    ("activated", "num_activated_trainable_params", "{:,.0f}"),
    ("share of active", "activated_share", "{:.2%}"),
    ("step in s", "train_time_s", "{:.4f}"),
)
QUESTIONS = {  # of a contrast's factor: what a user asks
    "variant": "Which variant, at equal rank?",
    "rank": "Does a larger rank help?",
    "num_adapters": "Do more adapters help?",
    "top_k": "Do more adapters per token help?",
    "router": "Does the router have to train?",
    "legacy_weighting": "What does weighting by the base router cost?",
    "inner": "LoRA or a parallel adapter?",
    "alpha_over_rank": "Which gain?",
    "learning_rate": "Which learning rate?",
    "dropout": "Does dropout help?",
}
BETTER = {"answer_nll_nats": "lower", "accuracy": "higher"}
WHAT = {"answer_nll_nats": "loss on answers", "accuracy": "accuracy"}


def page(
    summary: pd.DataFrame,
    contrasts: pd.DataFrame,
    statements: pd.DataFrame,
    questions: Mapping[str, Any],
    base: Sequence[Row],
) -> list[str]:
    """Parts of the page; ``base`` is the final row of the base's pretraining, if it had any."""
    return [
        rst.heading("Experiment perft", 1),
        rst.bullets(asked(summary, questions, base)),
        rst.heading("What came out", 2),
        rst.bullets([*against_base(summary), *frontier(summary), *legacy(summary)]),
        rst.heading("Differences, at all else equal", 2),
        rst.bullets(differences(summary, contrasts)),
        rst.heading("All adapters", 2),
        arms_table(summary),
        rst.heading("Published statements, on the axis they belong on", 2),
        statements_table(statements),
    ]


def asked(summary: pd.DataFrame, questions: Mapping[str, Any], base: Sequence[Row]) -> list[str]:
    """What was compared, on which base and questions."""
    first = rows(summary)[0]
    variants = [adapters.label(name) for name in adapters.order(summary["variant"])]
    sentences = [
        f"Which adapter is worth its parameters? Compared: {join(variants)}, on a base with "
        f"{first.num_base_active_params:,} active parameters ({first.base}), which does not "
        "change.",
        f"Questions ({first.data}): {questions['num_train_questions']:,} to learn from; "
        f"{first.num_scored_questions:,} of {questions['num_held_out_questions']:,} held-out ones "
        f"are scored. Chance is right in {first.chance_accuracy:.1%}.",
        f"Seeds of each adapter: {join(map(str, sorted(set(summary['num_seeds']))))}.",
    ]
    too_long = questions["num_train_too_long"] + questions["num_held_out_too_long"]
    if too_long:
        sentences.append(
            f"{too_long:,} questions are longer than {questions['cutoff']} tokens and were left "
            "out."
        )
    for row in base:
        sentences.append(
            f"The base was pretrained here: perplexity {row.values['val_ppl']:.3f} on held-out "
            f"text, where a bigram model has {row.values['bigram_val_ppl']:.3f}."
        )
    return sentences


def against_base(summary: pd.DataFrame) -> list[str]:
    """Whether adapters learnt: their loss on held-out answers against the base's."""
    first = rows(summary)[0]
    below = summary["answer_nll_nats_high"] < first.base_answer_nll_nats
    sentences = [
        f"The base alone has {first.base_answer_nll_nats:.4f} nats per answer token and is right "
        f"in {first.base_accuracy:.1%}. {int(below.sum())} of {len(summary)} adapters are below "
        "that loss with their whole interval."
    ]
    others = [adapters.short(each) for each in rows(summary[~below])]
    if others:
        sentences.append(f"Not so: {join(others)}.")
    half = (first.accuracy_questions_high - first.accuracy_questions_low) / 2
    sentences.append(
        "Intervals are over seeds, on the same questions; other questions of the kind would move "
        f"an accuracy by some {half:.1%} either way."
    )
    return sentences


def frontier(summary: pd.DataFrame) -> list[str]:
    """Who is on the frontier of score and activated parameters, and how surely."""
    sentences = []
    for name, what in (("accuracy", "accuracy"), ("ppl", "perplexity of answers")):
        on_it = members(summary, name)
        if on_it:
            sentences.append(
                f"On the frontier of {what} and activated trainable parameters: {join(on_it)}."
            )
        open_ones = unsure(summary, name)
        if open_ones:
            sentences.append(f"Open by {what} (its probability): {join(open_ones)}.")
    return sentences


def legacy(summary: pd.DataFrame) -> list[str]:
    """What weighting by the base router costs, where it was tried."""
    return [
        f"Weighted by the base router, as the published code does, {adapters.short(right)} has "
        f"{wrong.answer_nll_nats:.4f} nats in place of {right.answer_nll_nats:.4f}, and is right "
        f"in {wrong.accuracy:.1%} in place of {right.accuracy:.1%}."
        for right, wrong in twins(summary)
    ]


def differences(summary: pd.DataFrame, contrasts: pd.DataFrame) -> list[str]:
    """Every question that pairs of arms answer: differences found, and ties called ties."""
    names = {each.arm: adapters.short(each) for each in rows(summary)}
    sentences = []
    for (factor, quantity), tried in contrasts.groupby(["factor", "quantity"], sort=False):
        told: dict[str, list[str]] = {"found": [], "tie": [], "untested": []}
        for pair in rows(tried):
            a, b = names[pair.arm_a], names[pair.arm_b]
            if pd.isna(pair.verdict):
                told["untested"].append(f"{a} and {b}")
            elif pair.verdict == "tie":
                told["tie"].append(f"{a} and {b}")
            else:
                better, worse = (a, b) if pair.verdict == BETTER[str(quantity)] else (b, a)
                told["found"].append(f"{better} beats {worse} by {abs(pair.difference):.4f}")
        phrases = {
            "found": "{}",
            "tie": "ties, which the seeds do not tell apart: {}",
            "untested": "not tested, which takes more than one seed: {}",
        }
        parts = [phrases[key].format(join(pairs)) for key, pairs in told.items() if pairs]
        sentences.append(f"{QUESTIONS[str(factor)]} By {WHAT[str(quantity)]}: {'; '.join(parts)}.")
    return sentences


def arms_table(summary: pd.DataFrame) -> str:
    """One row per adapter, lowest loss first; a dash stands for what does not exist."""
    body = [
        [
            adapters.short(each),
            *(rst.shown(getattr(each, column), form) for _, column, form in COLUMNS),
        ]
        for each in rows(summary.sort_values("answer_nll_nats"))
    ]
    return rst.table(["adapter", *(heading for heading, _, _ in COLUMNS)], body)


def statements_table(statements: pd.DataFrame) -> str:
    """One row per statement, reading and loss."""
    body = [
        [
            each.statement,
            READINGS[each.axis],
            each.loss,
            f"{'holds' if each.survives else 'fails'} ({each.num_held} of {each.num_compared})",
            rst.shown(each.fails_at, "{}"),
        ]
        for each in rows(statements)
    ]
    return rst.table(["statement", "read", "loss", "verdict", "fails at"], body)
