"""What routers add to dense networks, in sentences: volume of the frontier, effective speed-up."""

from typing import Any

import pandas as pd

from moebench.analysis.frontier_words import (
    BEFORE_FIRST,
    EVERYTHING,
    FASTER,
    NO_CURVE,
    NOT_REACHED,
    ONE_LESS,
    ONLY_DENSE,
    SLOWER,
    SUPPORTED,
    TIE,
)
from moebench.figures import style
from moebench.figures.notes import join
from moebench.report import arms

SAID = {
    FASTER: "{} certainly came down to it sooner",
    TIE: "{} neither sooner nor later for sure",
    SLOWER: "{} certainly came down to it later",
    NOT_REACHED: "{} had not come down to it by the last step in every seed",
    BEFORE_FIRST: "{} had come down to it before the first score",
    NO_CURVE: "{} had later tokens in view when scored on the way, and are not compared",
}
MATCHES = {
    "flops": "Matched by FLOPs, counted in tokens",
    "parameters": "Matched by parameters, counted in tokens",
    "time": "Matched by time, counted in seconds",
}


def volume(hypervolume: pd.DataFrame) -> list[str]:
    """How much the arms open up together, what of it routers add, and who is needed for it."""
    if hypervolume.empty:
        return [
            "No hypervolume is given: it is measured from one dense network of equal FLOPs, and "
            "here there is not exactly one."
        ]
    by_kind = {kept: lines.to_dict("records") for kept, lines in hypervolume.groupby("kept")}
    [everything], [dense] = by_kind[EVERYTHING], by_kind[ONLY_DENSE]
    sentences = [
        "Together the ranked arms open up "
        f"{_quantity(everything, 'hypervolume')} times the area of perplexity and speed that "
        f"{style.label('dense')} opens up alone, down to a reference point of perplexity "
        f"{everything['reference_val_ppl']:.3f} at "
        f"{everything['reference_train_tokens_per_s']:,.0f} tokens/s; the joules of a training "
        "step were not measured, so energy is no third axis."
    ]
    if arms_left := everything["num_arms"] - dense["num_arms"]:
        told = {
            SUPPORTED: "which is more than nothing",
            TIE: "which is not told from nothing",
        }.get(dense["verdict"], "untested for want of seeds or rounds")
        sentences.append(
            f"The {arms_left} routed arms add {_quantity(dense, 'decrease')} of that to the dense "
            f"networks, {told}."
        )
    needed = [
        f"{arms.name(each)} ({_quantity(each, 'decrease')})"
        for each in by_kind[ONE_LESS]
        if each["verdict"] == SUPPORTED
    ]
    if needed:
        sentences.append(f"Without any of these some of it would surely be lost: {join(needed)}.")
    return sentences


def speed_up(speed_ups: pd.DataFrame) -> list[str]:
    """How many routed arms came sooner to where a dense network ended, for each way of matching."""
    sentences = []
    for (baseline, matched_by), lines in speed_ups.groupby(["baseline", "matched_by"], sort=False):
        counts = lines["outcome"].value_counts()
        found = [text.format(counts[key]) for key, text in SAID.items() if key in counts]
        if untested := int(lines["outcome"].isna().sum()):
            found.append(f"{untested} are untested for want of seeds or rounds")
        sentences.append(
            f"{MATCHES[str(matched_by)]}, of {len(lines)} routed arms on the way to the final loss "
            f"of {style.label(str(baseline))}, {join(found)}.{_extreme(lines)}"
        )
    return sentences


def _extreme(lines: pd.DataFrame) -> str:
    """The largest speed-up there is, or the least of the bounds that hold for all arms."""
    known = lines.dropna(subset=["speed_up"])
    if len(known):
        best = arms.extreme(known, "speed_up", largest=True)
        return f" The largest speed-up is that of {arms.name(best)}, {_quantity(best, 'speed_up')}."
    bounds = lines.loc[lines["outcome"] != NO_CURVE, "speed_up_at_most"]
    if len(bounds) and bounds.notna().all():
        return f" No speed-up is more than {bounds.max():.3f}."
    return ""


def _quantity(each: Any, name: str) -> str:
    """A number with its interval."""
    value, low, high = (each[f"{name}{end}"] for end in ("", "_low", "_high"))
    if pd.isna(low):
        return f"{value:.3f}"
    return f"{value:.3f} ({low:.3f} to {high:.3f})"
