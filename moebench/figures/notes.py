"""Words in and under figures."""

import textwrap
from collections.abc import Iterable, Sequence

import pandas as pd
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D

from moebench.figures import style

LINE_CHARACTERS = 130
TITLE_IN = 0.42  # added above a drawing


def join(names: Iterable[str]) -> str:
    """One list of names in a sentence."""
    names = list(dict.fromkeys(names))
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def write_below(canvas: Canvas, sentences: Sequence[str]) -> None:
    """Write what a reader must know to read the drawing along its lower edge."""
    text = "\n".join(textwrap.wrap(" ".join(sentences), LINE_CHARACTERS))
    canvas.text(0.012, 0.01, text, size=style.NOTE_SIZE, color="#444444", va="bottom", ha="left")


def write_above(canvas: Canvas, title: str, name: str) -> None:
    """Write the question of a drawing over its upper edge, and the name of its file."""
    for legend in canvas.legends:  # those without an anchor would move up with the page
        if legend.get_bbox_to_anchor() is canvas.bbox:
            legend.set_bbox_to_anchor((0, 0, 1, 1), transform=canvas.transFigure)
    level = 1 + 0.55 * TITLE_IN / canvas.get_figheight()
    canvas.text(0.012, level, title, size=12.5, weight="bold", va="center", ha="left", gid="title")
    canvas.text(0.988, level, name, size=8.5, color="#767676", va="center", ha="right")


def router_handles(summary: pd.DataFrame) -> list[Line2D]:
    """Legend entries: a marker for a router, a line for a dense network."""
    handles = []
    routed = summary[summary["capacity_factor"].notna()]
    causality = dict(zip(routed["router"], routed["causality"], strict=True))
    for router in style.order(summary["router"]):
        if router in causality:
            text = style.label(router, causality[router])
            point = style.point(router, causality[router])
            handles.append(Line2D([], [], ls="", ms=8, label=text, **point))
        else:
            handles.append(Line2D([], [], label=style.label(router), **style.line(router)))
    return handles


def escape(text: str) -> str:
    """A text that reStructuredText shows as it stands."""
    for character in "\\*`|_":
        text = text.replace(character, "\\" + character)
    return text
