"""What the experts have learnt, in sentences: every number and name from the tables."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from moebench.analysis.load import DEAD_SHARE
from moebench.analysis.statistics import SIGNIFICANCE, mean_interval
from moebench.figures import style
from moebench.figures.notes import join
from moebench.report import rst

Tables = Mapping[str, pd.DataFrame]

COLUMNS = {  # heading: column, format
    "seed": ("seed", "{:d}"),
    "layer": ("layer", "{:d}"),
    "state": ("state", "{}"),
    "information, nats": ("class_information_unbiased_nats", "{:.3f}"),
    "from": ("class_information_unbiased_nats_low", "{:.3f}"),
    "to": ("class_information_unbiased_nats_high", "{:.3f}"),
    "chance up to": ("chance_nats_high", "{:.3f}"),
    "p": ("p_value", "{:.3f}"),
    "token ids": ("vocabulary_share", "{:.0%}"),
    "by chance": ("vocabulary_chance", "{:.0%}"),
    "ties": ("tied_rate", "{:.2%}"),
}


def page(tables: Tables) -> list[str]:
    """Parts of the page on what the experts have learnt."""
    table = tables["specialisation"]
    found = [
        *learnt(table),
        *untrained(table),
        *vocabulary(table),
        *idle(tables["load"]),
        *mates(tables["coactivation"]),
        *ties(table),
    ]
    return [
        rst.heading("What the experts have learnt", 1),
        rst.bullets([asked(table)]),
        rst.heading("What came out of the traces", 2),
        rst.bullets(found),
        rst.heading("All traces", 2),
        all_traces(table),
    ]


def asked(table: pd.DataFrame) -> str:
    """What was traced, on how much text."""
    one = table.iloc[0]
    names = join(style.label(router) for router in style.order(table["router"]))
    return (
        "Do experts specialise, and did they learn to? Traced before and after training, on "
        f"{one['num_tokens']:,d} held-out tokens in {one['num_windows']:,d} windows: {names}; "
        f"{table['seed'].nunique()} seeds, {table['layer'].nunique()} layers. Information is what "
        "the experts asked for tell of a token's class of character, "
        f"{one['class_entropy_nats']:.2f} nats at most."
    )


def learnt(table: pd.DataFrame) -> list[str]:
    """By how much training changed each router, over seeds; no change is called a tie."""
    trained = table[table["state"] == "trained"]
    sentences = []
    for router in style.order(trained["router"]):
        mine = trained[trained["router"] == router]
        gain_S = mine.groupby("seed")["learnt_nats"].mean().to_numpy()
        level = mine["class_information_unbiased_nats"].mean()
        low, high = mean_interval(gain_S)
        told = (
            f"{style.label(router)}: {level:.3f} nats after training (mean over layers and seeds)"
        )
        if np.isnan(low):
            sentences.append(f"{told}, {gain_S[0]:+.3f} by training (one seed: no interval).")
            continue
        verdict = "a tie with the untrained model" if low <= 0 <= high else "learnt"
        if high < 0:
            verdict = "less than the untrained model"
        sentences.append(
            f"{told}, {gain_S.mean():+.3f} ({low:+.3f} to {high:+.3f}) by training: {verdict}."
        )
    return sentences


def untrained(table: pd.DataFrame) -> list[str]:
    """What an untrained model shows already, which is no evidence of learning."""
    before = table[table["state"] == "untrained"]
    if before.empty:
        return []
    share = (before["p_value"] <= SIGNIFICANCE).mean()
    most = before.sort_values("class_information_unbiased_nats", kind="stable").iloc[-1]
    return [
        f"An untrained model is beyond chance in {share:.0%} of its layers already, up to "
        f"{most['class_information_unbiased_nats']:.3f} nats ({style.label(most['router'])}, layer "
        f"{most['layer']}): a fixed projection of the token sends equal tokens to equal experts."
    ]


def vocabulary(table: pd.DataFrame) -> list[str]:
    """How far token ids have experts of their own, beside the untrained model and chance."""
    by_trace = table.groupby(["router", "state"])[["vocabulary_share", "vocabulary_chance"]]
    means = by_trace.mean().to_dict("index")
    told = [
        f"{style.label(router)} {means[router, 'trained']['vocabulary_share']:.0%} "
        f"({means[router, 'untrained']['vocabulary_share']:.0%} untrained, "
        f"{means[router, 'trained']['vocabulary_chance']:.0%} by chance)"
        for router in style.order(table["router"])
    ]
    return [f"Share of assignments that go to the K favourite experts of a token id: {join(told)}."]


def idle(load: pd.DataFrame) -> list[str]:
    """Experts that hardly anybody asks for."""
    trained = load[load["state"] == "trained"]
    dead = trained[trained["requested_share"] < DEAD_SHARE * trained["fair_share"]]
    if dead.empty:
        return [f"No trained expert is asked for less than {DEAD_SHARE:.0%} of its fair share."]
    counts = dead.groupby("router").size()
    told = [f"{style.label(router)} {counts[router]}" for router in style.order(counts.index)]
    return [
        f"Experts asked for less than {DEAD_SHARE:.0%} of their fair share, over layers and seeds: "
        f"{join(told)}."
    ]


def mates(coactivation: pd.DataFrame) -> list[str]:
    """The pair of experts that share tokens most beyond what their loads explain."""
    trained = coactivation[coactivation["state"] == "trained"]
    beyond = (trained["share"] - trained["by_load"]).sort_values(kind="stable")
    if not (beyond > 0).any():
        return []
    most = trained.loc[beyond.index[-1]]
    return [
        f"Experts that share tokens: {most['share']:.0%} of the tokens of expert {most['expert']} "
        f"of {style.label(most['router'])} (seed {most['seed']}, layer {most['layer']}) also go to "
        f"expert {most['other']}; its load alone would give {most['by_load']:.0%}."
    ]


def ties(table: pd.DataFrame) -> list[str]:
    """Where scores or weights tie, so that an order among experts says nothing."""
    sentences = []
    tied = table[table["tied_rate"] > 0]
    if len(tied):
        names = join(style.label(router) for router in style.order(tied["router"]))
        sentences.append(
            f"Scores tie at the border between chosen and refused for {names}, for up to "
            f"{tied['tied_rate'].max():.2%} of the tokens; who is chosen there is chance."
        )
    else:
        sentences.append("No router had equal scores at the border between chosen and refused.")
    equal = table[table["equal_weights_rate"] > 0.5]
    if len(equal):
        names = join(style.label(router) for router in style.order(equal["router"]))
        sentences.append(f"All experts of a token weigh the same with {names}: none comes first.")
    return sentences


def all_traces(table: pd.DataFrame) -> str:
    """One row per trace; a dash stands for what does not exist."""
    lines = [
        [
            style.label(row["router"]),
            *(rst.shown(row[column], form) for column, form in COLUMNS.values()),
        ]
        for row in table.to_dict("records")
    ]
    return rst.table(["router", *COLUMNS], lines)
