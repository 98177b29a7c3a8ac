"""How layouts look: one colour, marker and line each, the same in every figure.

Families share a hue: sharded matrices are blue, spread experts orange, everything in one process
black or grey. A marker is hollow where ranks outnumber cores.
"""

from collections.abc import Iterable
from typing import Any

from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from moebench.figures import style
from moebench.figures.style import Look

LOOKS = {
    "single": Look("#1a1a1a", "o", "-"),
    "single_loop": Look("#808080", "X", (0, (1, 1))),
    "tensor": Look("#004488", "s", (0, (5, 1.5))),
    "tensor_batch_split": Look("#6699CC", "D", (0, (4, 1.2, 1, 1.2))),
    "tensor_gathered": Look("#56B4E9", "P", (0, (1, 1.6))),
    "expert": Look("#D55E00", "^", "-"),
    "expert_replicated": Look("#E69F00", "v", (0, (7, 2))),
    "expert_tensor": Look("#117733", "h", (0, (9, 1.5, 1, 1.5, 1, 1.5))),
}
LABELS = {
    "single": "one process",
    "single_loop": "one process, a loop over samples",
    "tensor": "tensor parallel",
    "tensor_batch_split": "tensor parallel, batch split",
    "tensor_gathered": "tensor parallel, gathers",
    "expert": "expert parallel",
    "expert_replicated": "expert parallel, routing replicated",
    "expert_tensor": "expert and tensor parallel",
}
SHORT = {
    "single": "1P",
    "single_loop": "loop",
    "tensor": "TP",
    "tensor_batch_split": "TPb",
    "tensor_gathered": "TPg",
    "expert": "EP",
    "expert_replicated": "EPr",
    "expert_tensor": "E×T",
}
DIRECTIONS = {"forward": "forward", "forward_backward": "forward and backward"}
OVERSUBSCRIBED = "hollow: more ranks than cores"


def look(layout: str) -> Look:
    """Colour, marker and line of a layout, by its name alone."""
    return LOOKS.get(layout) or style.look(layout)


def label(layout: str) -> str:
    """Name of a layout for a reader."""
    return LABELS.get(layout, layout.replace("_", " "))


def short(layout: str) -> str:
    """Name of a layout where there is room for three letters."""
    return SHORT.get(layout, layout[:4])


def order(layouts: Iterable[str]) -> list[str]:
    """Layouts in the order of every legend: as in ``LOOKS``, then others by name."""
    known = list(LOOKS)
    return sorted(
        set(layouts), key=lambda name: (known.index(name) if name in known else len(known), name)
    )


def point(layout: str, is_hollow: bool = False) -> dict[str, Any]:
    """Keywords of a marker."""
    mine = look(layout)
    return {
        "marker": mine.marker,
        "color": mine.colour,
        "markerfacecolor": "white" if is_hollow else mine.colour,
        "markeredgecolor": mine.colour,
        "markeredgewidth": 1.5,
    }


def line(layout: str) -> dict[str, Any]:
    """Keywords of a line."""
    return {"color": look(layout).colour, "linestyle": look(layout).line}


def handles(layouts: Iterable[str]) -> list[Line2D]:
    """Legend entries: line and marker of each layout."""
    return [
        Line2D([], [], label=label(name), ms=7, **line(name) | point(name))
        for name in order(layouts)
    ]


def patches(layouts: Iterable[str]) -> list[Patch]:
    """Legend entries of areas, each with the letters that stand in the area."""
    return [
        Patch(facecolor=look(name).colour, label=f"{short(name)}: {label(name)}")
        for name in order(layouts)
    ]


def ink_on(layout: str) -> str:
    """Colour of letters on a layout's own colour."""
    return "white" if style.lightness(look(layout).colour) < 60 else "#1a1a1a"
