"""What the certificates say, in sentences: every number from their table."""

from typing import Any

import pandas as pd

from moebench.analysis.certificates import verdict
from moebench.figures import style
from moebench.figures.notes import join
from moebench.report import rst

HEADER = (
    "router",
    "declared",
    "found",
    "earlier tokens rerouted",
    "leak (nats)",
    "from",
    "to",
    "gain by the true end (nats)",
    "from",
    "to",
    "gain by a later text (nats)",
    "from",
    "to",
)
NUMBERS = ("leak_nats", "suffix_benefit_nats", "decode_gap_nats")


def page(certificates: pd.DataFrame) -> list[str]:
    """Parts of the page on certificates."""
    return [
        rst.heading("Which routers look at later tokens", 1),
        rst.bullets([*asked(certificates), *came_out(certificates)]),
        rst.heading("All certificates", 2),
        table(certificates),
    ]


def asked(certificates: pd.DataFrame) -> list[str]:
    """What was done, with whom."""
    floor = certificates["floor_nats"].iloc[0]
    return [
        f"Certified: {len(certificates)} combinations of router, drop policy and pool, those that "
        "the experiments use.",
        "Part of a text was replaced; whoever routes the rest otherwise than before looks at that "
        "part. A small model of each was trained on uniform tokens, of which no causal model can "
        f"have a loss below {floor:.4f} nats.",
    ]


def came_out(certificates: pd.DataFrame) -> list[str]:
    """Who looks at later tokens, what that is worth, and whether everybody says so."""
    looking = certificates[certificates["found"] == verdict.NON_CAUSAL].to_dict("records")
    sentences = ["No router looks at later tokens."] if not looking else []
    for each in looking:
        sentences.append(
            f"{name(each)} looks at later tokens: replacing them gives "
            f"{each['future_routes_changed']:.0%} of earlier tokens other experts. {stolen(each)}"
        )
    lies = [
        name(each)
        for each in certificates.to_dict("records")
        if verdict.is_lie(each["declared"], each["found"])
    ]
    if lies:
        sentences.append(f"Not as declared, and kept off every frontier: {join(lies)}.")
    else:
        sentences.append("No router depends on more than it declares.")
    return sentences


def stolen(each: Any) -> str:
    """What the look at later tokens was worth to the toy."""
    amount = f"{each['leak_nats']:.4f} nats per token"
    if each["leak_nats_low"] > verdict.SMALLEST_LEAK_NATS:
        return f"Its toy predicts what cannot be predicted, by {amount}."
    return (
        f"Its toy made no use of that within its short training ({amount} below the floor), which "
        "does not show that a larger one would not."
    )


def name(each: Any) -> str:
    """A certificate, for a reader."""
    words = [style.label(each["router"])]
    if each["router_options"] != "{}":
        words.append(each["router_options"])
    if each["drop_policy"] != style.USUAL_POLICY:
        words.append(style.POLICIES[each["drop_policy"]])
    if each["pool"] != "batch":
        words.append(f"in pools of one {each['pool']}")
    return " ".join(words)


def table(certificates: pd.DataFrame) -> str:
    """One row per certificate."""
    rows = [
        [
            name(each),
            each["declared"],
            each["found"],
            f"{each['future_routes_changed']:.1%}",
            *(
                f"{each[quantity + end]:.4f}"
                for quantity in NUMBERS
                for end in ("", "_low", "_high")
            ),
        ]
        for each in certificates.to_dict("records")
    ]
    return rst.table(HEADER, rows)
