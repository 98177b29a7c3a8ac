"""Sentences on energy and speed of networks, each from a line of a table."""

from typing import Any

import pandas as pd

from moebench.analysis.energy import crossover as verdicts
from moebench.analysis.energy.boundaries import LABELS
from moebench.figures import networks
from moebench.figures.base import rows
from moebench.figures.notes import join

TIME = "time"
FACTORS = {
    "num_experts": "experts",
    "width": "wide",
    "num_layers": "layers",
    "top_k": "experts a sample",
}


def crossover(line: Any) -> str:
    """From which size on a mixture is better, how surely, and counted how."""
    who = f"{networks.label(line.kernel)} against {networks.label(line.baseline)}"
    doubt = "" if line.all_learned is not False and line.all_learned != "False" else (
        " Some of these networks have not learnt their task."
    )  # fmt: skip
    return f"{who}, {place(line)}: {_verdict(line)}.{doubt}"


def _verdict(line: Any) -> str:
    first, last = (networks.size(n) for n in (line.smallest_params, line.largest_params))
    point, low, high = (
        "" if pd.isna(value) else networks.size(value)
        for value in (line.crossover_params, line.crossover_params_low, line.crossover_params_high)
    )
    best = f"best guess {point}" if point else "best guess outside the sizes measured"
    single = f"{point}, from a single block" if point else "no crossing seen in a single block"
    return {
        verdicts.WITHIN: f"better from {point} parameters on ({low} to {high})",
        verdicts.NOT_BELOW: f"better from {low} parameters on at the earliest, {best}; "
        f"where at the latest lies above {last}",
        verdicts.NOT_ABOVE: f"better from {high} parameters on at the latest, {best}; "
        f"where at the earliest lies below {first}",
        verdicts.NONE: f"no crossover below {last}: the dense network is better there",
        verdicts.THROUGHOUT: f"better at every size from {first} to {last}",
        verdicts.TIE: f"a tie at every size from {first} to {last}",
        verdicts.UNDECIDED: f"undecided between {first} and {last}, {best}",
        verdicts.UNREPLICATED: f"{single}, so without an interval",
    }[line.verdict]


def place(line: Any) -> str:
    """Number type, batch and what is counted."""
    if line.quantity == TIME:
        counted = "in time"
    else:
        counted = f"in joules ({LABELS.get(line.boundary, line.boundary)})"
    return f"{line.dtype}, batch {line.batch_size}, {counted}"


def ratio(line: Any) -> str:
    """How many times as much the first network takes, with its interval."""
    if pd.isna(line.ratio_low):
        return f"{line.ratio:.2f} (no interval: a single block)"
    tie = ", a tie" if line.better == "tie" else ""
    return f"{line.ratio:.2f} ({line.ratio_low:.2f} to {line.ratio_high:.2f}{tie})"


def ladder(gains: pd.DataFrame) -> list[str]:
    """What the architecture gives and what the loops take, size by size."""
    rungs = gains[(gains["baseline"] != "dense_active") & (gains["part"] != "both")]
    sentences = []
    for (_, size), mine in rungs.groupby(["quantity", "size"], sort=False):
        told = "; ".join(_rung(line) for line in rows(mine))
        sentences.append(f"Size {size}, {place(rows(mine)[0])}: {told}.")
    return sentences


def _rung(line: Any) -> str:
    unit = "seconds" if line.quantity == TIME else "joules"
    if line.part == "architecture":
        return f"the dense network takes {ratio(line)} times the {unit} of the grouped mixture"
    name = networks.label(line.baseline_kernel)
    return f"{name} takes {ratio(line)} times those of the grouped one"


def factor(line: Any) -> str:
    """What a larger number of the shape does to the saving of a mixture."""
    unit = "seconds" if line.quantity == TIME else "joules"
    what = FACTORS[line.factor]
    return (
        f"{line.larger_value} {what} instead of {line.value} (sizes {line.larger_size} and "
        f"{line.size}), {place(line)}: what the {networks.label(line.kernel)} saves in {unit} "
        f"against the dense network of equal size is multiplied by {ratio(line)}."
    )


def equal_loss(line: Any) -> str:
    """What the equally good dense network costs."""
    who = f"{networks.label(line.kernel)}, size {line.size}, {place(line)}"
    if isinstance(line.censored, str):
        return f"{who}: {line.censored}, so there is no ratio."
    unit = "seconds" if line.quantity == TIME else "joules"
    ends = (
        "without an interval"
        if pd.isna(line.ratio_low)
        else f"{line.ratio_low:.2f} to {line.ratio_high:.2f}"
    )
    return (
        f"{who}: a dense network of {networks.size(line.dense_params_at_equal_loss)} parameters "
        f"has the same held-out loss, {line.heldout_nll_nats:.3f} nats, and takes "
        f"{line.ratio:.2f} times the {unit} ({ends})."
    )


def learning(cells: pd.DataFrame) -> list[str]:
    """Which networks have learnt their task, which have not, and which were never trained."""
    each = networks.named(cells).drop_duplicates(["size", "name"])
    sentences = []
    for state, text in (
        ("chance", "At chance level, so that their energy and speed buy nothing"),
        ("partly", "Trained, but with less than 80 % of the training answers right"),
        ("unknown", "Not trained, so that their accuracy is not known"),
    ):
        mine = each[each["learning"] == state]
        if len(mine):
            names = join(f"{one.size} {networks.label(one.name)}" for one in rows(mine))
            sentences.append(f"{text}: {names}.")
    return sentences or ["Every network has learnt its task."]
