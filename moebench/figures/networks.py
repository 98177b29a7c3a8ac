"""How dense networks and mixtures look in figures of energy: one look for each kernel, everywhere.

A network that has not learnt its task is drawn hollow, whatever it is: its joules buy nothing.
"""

from typing import Any

import pandas as pd
from matplotlib.lines import Line2D

from moebench.figures import style
from moebench.figures.style import Look

LOOKS = {
    "dense_total": style.LOOKS["dense_total"],
    "dense_active": style.LOOKS["dense"],
    "grouped": Look("#D55E00", "o", "-"),
    "chosen": Look("#332288", "s", (0, (5, 1.5))),
    "moe": Look("#D55E00", "o", "-"),
    "naive": Look("#56B4E9", "^", (0, (7, 2))),
}
LABELS = {
    "moe": "MoE, whatever its kernel",
    "dense_total": "dense (equal parameters)",
    "dense_active": "dense (equal active parameters)",
    "grouped": "MoE, experts grouped",
    "chosen": "MoE, loop over chosen experts",
    "naive": "MoE, loop over all experts",
}
SHORT = {"chosen": "loop, chosen", "naive": "loop, all"}  # of kernels, beside others
PARAMETERS = {1e12: " T", 1e9: " G", 1e6: " M", 1e3: " k"}


def name_of(network: str, kernel: str) -> str:
    """What tells a network apart: a mixture's kernel, or which dense network it is."""
    return kernel if network == "moe" else network


def short(kernel: str) -> str:
    """Name of a kernel where there is little room."""
    return SHORT.get(kernel, kernel.replace("_", " "))


def named(table: pd.DataFrame) -> pd.DataFrame:
    """A table with a column ``name``: what tells its networks apart."""
    names = map(name_of, table["network"], table["kernel"])
    return table.assign(name=pd.Series(list(names), index=table.index, dtype="str"))


def look(name: str) -> Look:
    """Colour, marker and line of a network or kernel; a new kernel has a look by its name."""
    return LOOKS[name] if name in LOOKS else style.look(name)


def label(name: str) -> str:
    """Name for a reader."""
    return LABELS.get(name, f"MoE, {name.replace('_', ' ')}")


def line(name: str) -> dict[str, Any]:
    """Keywords of a line."""
    return {"color": look(name).colour, "linestyle": look(name).line}


def point(name: str, learning: str = "learned") -> dict[str, Any]:
    """Keywords of a marker: filled where the network has learnt its task, else hollow."""
    mine = look(name)
    face = mine.colour if learning in ("learned", "unknown") else "white"
    return {
        "marker": mine.marker,
        "color": mine.colour,
        "markerfacecolor": face,
        "markeredgecolor": mine.colour,
        "markeredgewidth": 1.6,
    }


def order(names: Any) -> list[str]:
    """Names in the order of every legend."""
    known = list(LOOKS)
    return sorted(set(names), key=lambda name: (known.index(name) if name in known else 99, name))


def handles(names: Any) -> list[Line2D]:
    """Legend entries: line and marker of each."""
    return [
        Line2D([], [], ms=7.5, label=label(name), linestyle=look(name).line, **point(name))
        for name in order(names)
    ]


def size(num_params: float) -> str:
    """A number of parameters for a reader: 2.7 M, 115 M, 2.8 G."""
    for unit, letter in PARAMETERS.items():
        if num_params >= unit:
            return f"{num_params / unit:.{1 if num_params < 10 * unit else 0}f}{letter}"
    return f"{num_params:.0f}"
