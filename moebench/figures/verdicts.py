"""Which claims are borne out: a square for each, published data above and this run below."""

from itertools import groupby
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.patches import Rectangle

from moebench.figures import style
from moebench.figures.base import Figure, Tables, rows
from moebench.figures.notes import write_below

SIDES = {"published": "published data", "here": "this run"}
CELL_IN = 0.29
HEAD_IN, GAP_IN, FOOT_IN, LEFT_IN = 0.75, 0.52, 0.5, 1.5


class Sign(NamedTuple):
    """How a verdict is drawn: lightness and a letter of its own, so that grey prints tell it."""

    face: str
    ink: str
    letter: str


SIGNS = {
    "supported": Sign("#0b4f6c", "white", "✓"),
    "refuted": Sign("#f2a541", "#222222", "✗"),
    "tie": Sign("#c3d9e3", "#222222", "="),
    "underpowered": Sign("#ececec", "#222222", "?"),
    "not testable here": Sign("white", "#8a8a8a", "–"),
}


class Verdicts(Figure):
    """A strip per source; a column is a claim, so that what changes stands one above the other."""

    title = "Which claims do the data bear out?"
    columns = {"claims": ("id", "source", "data", "verdict")}
    keys = {"claims": ("id", "data")}

    def draw(self, tables: Tables) -> Canvas:
        """Draw one strip below the other."""
        claims = tables["claims"]
        sources = list(dict.fromkeys(claims["source"]))
        strip_in = 2 * CELL_IN
        height_in = HEAD_IN + len(sources) * (strip_in + GAP_IN) + FOOT_IN
        canvas = Canvas(figsize=(style.WIDTH_IN, height_in))
        wide = claims.groupby("source")["id"].nunique().max()
        for place, source in enumerate(sources):
            bottom_in = height_in - HEAD_IN - place * (strip_in + GAP_IN) - strip_in
            axes = canvas.add_axes(
                (
                    LEFT_IN / style.WIDTH_IN,
                    bottom_in / height_in,
                    wide * CELL_IN / style.WIDTH_IN,
                    strip_in / height_in,
                )
            )
            _draw_strip(axes, source, claims[claims["source"] == source], wide)
        canvas.legend(
            handles=[_handle(verdict) for verdict in SIGNS],
            labels=[f"{sign.letter}  {verdict}" for verdict, sign in SIGNS.items()],
            loc="upper center",
            ncols=len(SIGNS),
            handlelength=1.2,
        )
        write_below(canvas, [NOTE])
        return canvas

    def caption(self, tables: Tables) -> str:
        """Count the verdicts on either side, and say where they differ."""
        claims = tables["claims"]
        counts = [f"on {name}: {_counted(claims, side)}" for side, name in SIDES.items()]
        wide = claims.pivot(index="id", columns="data", values="verdict")
        both = wide[wide.isin(["supported", "refuted"]).all(axis=1)]
        turned = both.index[both["published"] != both["here"]]
        text = f"{len(wide)} claims, {'; '.join(counts)}. "
        if both.empty:
            return text + "No claim is supported or refuted on both."
        of_both = f"Of {len(both)} claims that are supported or refuted on both"
        if turned.empty:
            return f"{text}{of_both}, all have the same verdict."
        return f"{text}{of_both}, {len(turned)} turn round: {', '.join(turned)}."


NOTE = (
    "A column is one claim, numbered within its source. Published numbers are taken as printed, "
    "without intervals; here a 95 % interval decides, and ? means that it is wider than what "
    "matters."
)


def _draw_strip(axes: Axes, source: str, claims: pd.DataFrame, wide: int) -> None:
    ids = list(dict.fromkeys(claims["id"]))
    for each in rows(claims):
        x, y = ids.index(each.id), list(SIDES)[::-1].index(each.data)
        sign = SIGNS[each.verdict]
        axes.add_patch(
            Rectangle(
                (x, y), 0.92, 0.92, facecolor=sign.face, edgecolor="#555555", lw=0.8,
                gid=f"{each.id} {each.data} {each.verdict}",
            )
        )  # fmt: skip
        axes.text(
            x + 0.46, y + 0.44, sign.letter, color=sign.ink, ha="center", va="center", size=11
        )
    axes.set_xlim(-0.05, wide)
    axes.set_ylim(-0.05, 2)
    axes.set_yticks([1.46, 0.46], list(SIDES.values()), size=10)
    axes.set_xticks([x + 0.46 for x in range(len(ids))], map(_short, ids), size=8.5)
    axes.tick_params(length=0, pad=2)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.set_title(f"{source}:  {_letters(ids)}", size=10.5, loc="left", pad=4)


def _short(key: str) -> str:
    return key.rpartition("-")[2]


def _letters(ids: list[str]) -> str:
    """What stands before the numbers of the claims."""
    return ", ".join(f"{key}-…" for key, _ in groupby(key.rpartition("-")[0] for key in ids))


def _handle(verdict: str) -> Any:
    return Rectangle((0, 0), 1, 1, facecolor=SIGNS[verdict].face, edgecolor="#555555")


def _counted(claims: pd.DataFrame, side: str) -> str:
    counts = claims.loc[claims["data"] == side, "verdict"].value_counts()
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in SIGNS if verdict in counts)
