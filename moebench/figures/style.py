"""How every figure looks: one colour, marker and line per router everywhere, and readable in grey.

The five main routers differ in lightness by at least 9 CIE units, so a grey print keeps them apart;
marker and line style do so as well. Dense baselines are grey. What was read with later tokens in
view is drawn hollow.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib import patheffects

NON_CAUSAL = "non-causal"
PLAIN_GATE = "linear"  # goes without saying, as does the next
USUAL_POLICY = "position"
POLICIES = {"position": "dropping later tokens", "gate": "dropping by weight", "none": "dropless"}

RC: Any = {
    "svg.hashsalt": "moebench",  # else element ids are random and equal tables give unlike files
    "font.family": "DejaVu Sans",
    "font.size": 11,
    "axes.titlesize": 12,
    "axes.labelsize": 12,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "legend.frameon": False,
    "legend.fontsize": 10.5,
    "lines.linewidth": 1.8,
    "figure.facecolor": "white",
}
NOTE_SIZE = 9.5
INK = "#222222"
CLEAR = [patheffects.withStroke(linewidth=3, foreground="white")]  # text over lines
FRONTIER = "#9a9a9a"
UNSURE = (0.05, 0.95)  # membership of the frontier is open between these probabilities
PNG_DPI = 200
WIDTH_IN = 900 / 96  # a browser shows 96 pixels of an SVG to the inch: 900 pixels


@dataclass(frozen=True)
class Look:
    """How one router is drawn."""

    colour: str
    marker: str
    line: Any  # matplotlib line style


LOOKS = {
    "topk_hard": Look("#332288", "s", (0, (5, 1.5))),
    "expert_choice": Look("#882255", "v", (0, (1, 1))),
    "hash": Look("#117733", "D", (0, (4, 1.2, 1, 1.2))),
    "softk": Look("#D55E00", "o", "-"),
    "top1": Look("#56B4E9", "^", (0, (7, 2))),
    "dense": Look("#808080", "X", (0, (9, 1.5, 1, 1.5, 1, 1.5))),
    "dense_total": Look("#1a1a1a", "P", "-"),
}
LABELS = {
    "top1": "top-1",
    "topk_hard": "equal-weight top-k",
    "softk": "softmax top-k",
    "hash": "hash",
    "expert_choice": "expert choice",
    "dense": "dense (equal FLOPs)",
    "dense_total": "dense (equal parameters)",
}

# Routers that are added later draw from these by a digest of their name, so that no router's look
# depends on which others there are.
_COLOURS = ("#0072B2", "#009E73", "#CC79A7", "#E69F00", "#AA4499", "#44AA99", "#999933", "#6699CC")
_MARKERS = ("<", ">", "h", "p", "*", "d", "H", "8")
_LINES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (4, 1.2, 1, 1.2)))
_SALT = "38566:"  # keeps apart every router of the field that has a name today


def look(router: str) -> Look:
    """Colour, marker and line of a router: by name, the same in every figure."""
    if router in LOOKS:
        return LOOKS[router]
    number = int(hashlib.sha256((_SALT + router).encode()).hexdigest(), 16)
    number, colour = divmod(number, len(_COLOURS))
    number, marker = divmod(number, len(_MARKERS))
    return Look(_COLOURS[colour], _MARKERS[marker], _LINES[number % len(_LINES)])


def label(router: str, causality: Any = None) -> str:
    """Name of a router for a reader; a non-causal one is called so."""
    name = LABELS.get(router, router.replace("_", " "))
    return f"{name} ({NON_CAUSAL})" if causality == NON_CAUSAL else name


def causal_label(router: str, causality: Any) -> str:
    """Name of a router beside what it reaches without later tokens, said where that is other."""
    return f"{label(router)}, without later tokens" if causality == NON_CAUSAL else label(router)


def cell(
    router: str, capacity_factor: Any, gate: str = PLAIN_GATE, policy: str = USUAL_POLICY
) -> str:
    """Name of a router at a capacity factor, with gate and drop policy where they are not usual.

    A dense network has none of these.
    """
    if pd.isna(capacity_factor):
        return label(router)
    name = f"{label(router)} CF {float(capacity_factor)}"
    if policy != USUAL_POLICY:
        name = f"{name} {POLICIES[policy]}"
    return name if gate == PLAIN_GATE else f"{name} with gate {gate}"


def point(router: str, causality: Any = None) -> dict[str, Any]:
    """Keywords of a marker: filled, or hollow for a non-causal router."""
    mine = look(router)
    face = "white" if causality == NON_CAUSAL else mine.colour
    return {
        "marker": mine.marker,
        "color": mine.colour,
        "markerfacecolor": face,
        "markeredgecolor": mine.colour,
        "markeredgewidth": 1.8,
    }


def line(router: str) -> dict[str, Any]:
    """Keywords of a line."""
    mine = look(router)
    return {"color": mine.colour, "linestyle": mine.line}


def ink(router: str) -> str:
    """Colour of a text about a router."""
    return darkened(look(router).colour)


def darkened(colour: str) -> str:
    """A colour for text: darker where it would be faint on white."""
    if lightness(colour) <= 55:
        return colour
    return "#" + "".join(f"{int(int(colour[i : i + 2], 16) * 0.66):02x}" for i in (1, 3, 5))


def order(routers: Any) -> list[str]:
    """Routers in the order of every legend: as in ``LOOKS``, then later ones by name."""
    known = list(LOOKS)
    return sorted(
        set(routers), key=lambda name: (known.index(name) if name in known else len(known), name)
    )


def lightness(colour: str) -> float:
    """CIE L* of a colour: how light it is in a grey print, 0 to 100."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    luminance = sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
    return float(116 * luminance ** (1 / 3) - 16 if luminance > 0.008856 else 903.3 * luminance)


def is_unsure(p_on_frontier: float) -> bool:
    """Whether the measurement leaves open if an arm is on the frontier."""
    return UNSURE[0] < p_on_frontier < UNSURE[1]
