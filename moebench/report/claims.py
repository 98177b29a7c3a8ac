"""The ledger as a page: what came out in sentences, then every claim with what decided it."""

from typing import Any

import pandas as pd

from moebench.analysis.claims.outcome import NOT_TESTABLE, REFUTED, SUPPORTED, VERDICTS
from moebench.analysis.claims.schemas import HERE, PUBLISHED
from moebench.figures import layouts
from moebench.report import rst

Line = dict[Any, Any]  # one row of the table
NAMES = {PUBLISHED: "published data", HERE: "this run"}


def summary(claims: pd.DataFrame) -> list[str]:
    """How many claims are borne out, and which turn round, from table ``claims``."""
    return [
        rst.heading("Which claims are borne out?", 1),
        rst.bullets([*_counts(claims), *_designs(claims), *_turned(claims)]),
        rst.heading("Verdicts by source", 2),
        rst.table(*_by_source(claims)),
    ]


def entries(claims: pd.DataFrame) -> list[str]:
    """A section per source with a row per claim, each linked to its evidence."""
    parts = []
    for source in dict.fromkeys(claims["source"]):
        mine = claims[claims["source"] == source]
        header = ["claim", "said", *NAMES.values(), "what decided it", "evidence"]
        wide = [_row(each) for _, each in mine.groupby("id", sort=False)]
        parts += [rst.heading(source, 2), rst.table(header, wide)]
    return parts


def _counts(claims: pd.DataFrame) -> list[str]:
    sentences = []
    for data, name in NAMES.items():
        found = claims[claims["data"] == data]["verdict"].value_counts()
        told = ", ".join(f"{found[each]} {each}" for each in VERDICTS if each in found)
        sentences.append(f"Of {found.sum()} claims on {name}: {told}.")
    return sentences


def _designs(claims: pd.DataFrame) -> list[str]:
    """Which layouts the claims of reports on ranks are put to here: those that they describe."""
    here = claims[(claims["data"] == HERE) & (claims["verdict"] != NOT_TESTABLE)]
    text = " ".join(here[["where", "predicate"]].fillna("").to_numpy().ravel())
    found = [name for name in layouts.LABELS if f"'{name}'" in text]
    if not found:
        return []
    designs = "; ".join(map(layouts.label, found))
    return [
        "“One process”, “sharded matrices” and “spread experts” are in a claim the designs that "
        f"its report timed: {designs}. A better design of each kind may do otherwise: the page on "
        "layouts compares all."
    ]


def _turned(claims: pd.DataFrame) -> list[str]:
    """Claims that one of the two supports and the other refutes."""
    wide = claims.pivot(index="id", columns="data", values="verdict")
    text = claims.drop_duplicates("id").set_index("id")["claim"]
    sentences = []
    for first, second in ((PUBLISHED, HERE), (HERE, PUBLISHED)):
        keys = wide.index[(wide[first] == SUPPORTED) & (wide[second] == REFUTED)]
        sentences += [
            f"{key}, supported on {NAMES[first]} and refuted on {NAMES[second]}: {text[key]}"
            for key in keys
        ]
    return sentences


def _by_source(claims: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    rows = []
    for source in dict.fromkeys(claims["source"]):
        for data, name in NAMES.items():
            mine = claims[(claims["source"] == source) & (claims["data"] == data)]
            counts = mine["verdict"].value_counts()
            rows.append([source, name, *(str(counts.get(each, 0)) for each in VERDICTS)])
    return ["source", "on", *VERDICTS], rows


def _row(claim: pd.DataFrame) -> list[str]:
    by_data = {line["data"]: line for line in claim.to_dict("records")}
    one = by_data[HERE]
    said = one["claim"] if pd.isna(one["note"]) else f"{one['claim']} ({one['note']})"
    told = [f"{name}: {_decision(by_data[data])}" for data, name in NAMES.items()]
    verdicts = [by_data[data]["verdict"] for data in NAMES]
    return [one["id"], said, *verdicts, ". ".join(told), _evidence(one)]


def _decision(line: Line) -> str:
    """The numbers that decided, with their interval, or the reason why none could."""
    if pd.notna(line["reason"]):
        return str(line["reason"])
    parts = [
        f"claimed {line['decided_by']}",
        f"effect {_effect(line)}, smallest that matters {line['smallest_effect']}",
    ]
    if line["num_comparisons"] > 1:
        parts.append(f"one of {line['num_comparisons']} comparisons")
    if pd.notna(line["later_tokens_verdict"]):
        parts.append(
            f"with later tokens in view {line['later_tokens_verdict']}: "
            f"{line['later_tokens_decided_by']}"
        )
    if pd.notna(line["left_out"]):
        parts.append(f"left out: {line['left_out']}")
    return "; ".join(parts)


def _effect(line: Line) -> str:
    """Effect and interval, as a share where the smallest one is a share."""
    is_share = str(line["smallest_effect"]).endswith("%")

    def shown(value: float) -> str:
        return f"{value:+.1%}" if is_share else f"{value:+.3g}"

    if pd.isna(line["effect_low"]):
        return f"{shown(line['effect'])} (no interval)"
    if line["effect_low"] == line["effect_high"]:
        return shown(line["effect"])
    return f"{shown(line['effect'])} ({shown(line['effect_low'])} to {shown(line['effect_high'])})"


def _evidence(line: Line) -> str:
    """Links to the figure and the tables of this run, for the page's place in the results."""
    if pd.notna(line["figure"]):
        return rst.link(str(line["figure"]), f"../figures/{line['figure']}.svg")
    if pd.isna(line["tables"]) or pd.notna(line["reason"]):
        return "–"
    first = str(line["tables"]).split()[0]
    return rst.link(f"{first}.csv", f"../tables/{first}.csv")
