"""How adapters look: one colour, marker and line a variant, larger with rank, paler with k / N.

An arm that repeats the published fault of weighting by the base router is drawn hollow.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D

from moebench.figures import style
from moebench.figures.style import Look

LOOKS = {
    "single": Look("#1a1a1a", "o", "-"),
    "dense": Look("#117733", "s", (0, (5, 1.5))),
    "routed": Look("#D55E00", "^", "-"),
    "embedded": Look("#332288", "D", (0, (4, 1.2, 1, 1.2))),
    "attention_lora": Look("#56B4E9", "v", (0, (7, 2))),
}
LABELS = {
    "single": "single (PERFT-S)",
    "dense": "dense (PERFT-D)",
    "routed": "routed (PERFT-R)",
    "embedded": "embedded (PERFT-E)",
    "attention_lora": "LoRA on attention",
}
SHORT = {"single": "S", "dense": "D", "routed": "R", "embedded": "E", "attention_lora": "attention"}
PALEST = 0.3  # opacity at k / N = 0
SMALLEST, LARGEST = 7.0, 13.0  # markers, in points
FRONTIER_LINE = (0, (6, 3))
NAMES_NOTE = (
    "S, D, R, E: single, dense, routed, embedded; R 1/4: 1 of 4 adapters for a token; r4: rank 4."
)
SIZE_NOTE = "A larger marker has a larger rank, a paler one a smaller share k/N of its adapters."


def look(variant: str) -> Look:
    """Colour, marker and line of a variant, by its name alone."""
    return LOOKS.get(variant) or style.look(variant)


def label(variant: str) -> str:
    """Name of a variant for a reader."""
    return LABELS.get(variant, variant.replace("_", " "))


def order(variants: Iterable[str]) -> list[str]:
    """Variants in the order of every legend: as in ``LOOKS``, then later ones by name."""
    known = list(LOOKS)
    return sorted(
        set(variants), key=lambda name: (known.index(name) if name in known else len(known), name)
    )


def short(arm: Any) -> str:
    """Name of an arm beside its marker: variant, adapters, rank, and what is unusual about it."""
    name = SHORT.get(arm.variant, arm.variant.replace("_", " "))
    if not pd.isna(arm.top_k):
        name += f" {int(arm.top_k)}/{int(arm.num_adapters)}"
    elif not pd.isna(arm.num_adapters):
        name += f" {int(arm.num_adapters)}"
    name += f" r{int(arm.rank)}"
    unusual = {
        "legacy": getattr(arm, "legacy_weighting", False),
        "frozen": getattr(arm, "router", None) == "frozen",
        "parallel": getattr(arm, "inner", "lora") == "parallel",
    }
    return " ".join([name, *(word for word, is_so in unusual.items() if is_so)])


def point(arm: Any, ranks: Sequence[int]) -> dict[str, Any]:
    """Keywords of an arm's marker."""
    mine = look(arm.variant)
    is_hollow = bool(getattr(arm, "legacy_weighting", False))
    return {
        "marker": mine.marker,
        "color": mine.colour,
        "ms": marker_size(arm.rank, ranks),
        "markerfacecolor": "white" if is_hollow else shade(arm),
        "markeredgecolor": mine.colour,
        "markeredgewidth": 1.6,
    }


def marker_size(rank: int, ranks: Sequence[int]) -> float:
    """Size in points: equal steps from the smallest rank to the largest."""
    places = sorted(set(ranks))
    if len(places) == 1:
        return (SMALLEST + LARGEST) / 2
    return SMALLEST + (LARGEST - SMALLEST) * places.index(rank) / (len(places) - 1)


def shade(arm: Any) -> tuple[float, ...]:
    """A variant's colour, mixed with white where a token meets but a share of the adapters."""
    share = 1.0 if pd.isna(arm.top_k) else arm.top_k / arm.num_adapters
    opacity = PALEST + (1 - PALEST) * share
    colour = np.array(to_rgb(look(arm.variant).colour))
    return tuple(opacity * colour + 1 - opacity)


def staircase(axes: Axes, xs: Sequence[float], ys: Sequence[float]) -> list[tuple[float, float]]:
    """Best within a budget: level from a member of the frontier to the next, then up to it."""
    if not len(xs):
        return []
    corners = sorted(zip(xs, ys, strict=True))
    right = axes.get_xlim()[1]
    path = [corners[0]]
    for x, y in corners[1:]:
        path += [(x, path[-1][1]), (x, y)]
    path.append((right, path[-1][1]))
    axes.plot(
        *zip(*path, strict=True),
        color=style.FRONTIER,
        lw=1.6,
        ls=FRONTIER_LINE,
        zorder=1,
        gid="frontier",
    )
    return path


def handles(variants: Iterable[str]) -> list[Line2D]:
    """Legend entries: a marker a variant, and the frontier."""
    points = [
        Line2D([], [], ls="", ms=8, color=mine.colour, marker=mine.marker, label=label(variant))
        for variant in order(variants)
        for mine in [look(variant)]
    ]
    return [
        *points,
        Line2D([], [], color=style.FRONTIER, ls=FRONTIER_LINE, lw=1.6, label="Pareto frontier"),
    ]


def parameters(value: float, _: Any = None) -> str:
    """A number of parameters on an axis: 12 k, 2.1 M."""
    for factor, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= factor:
            return f"{value / factor:.3g}{unit}"
    return f"{value:.3g}"
