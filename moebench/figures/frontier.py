"""Quality against speed: which causal arm is on the Pareto frontier, and how surely."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D

from moebench.analysis.certificates.gate import hides_later_tokens
from moebench.figures import style, surfaces
from moebench.figures.base import ArmFigure, Tables, rows
from moebench.figures.labelling import Label, place
from moebench.figures.notes import join, write_below

AROUND = 6  # points by which a hollow marker is larger, to be seen around a full one


class Frontier(ArmFigure):
    """One marker per router and capacity factor, with intervals both ways."""

    title = "Which router is worth its time?"
    columns = {
        "summary": (
            "router",
            "capacity_factor",
            "causality",
            "certified",
            "val_nll_nats",
            "val_nll_causal_nats",
            "val_nll_causal_nats_low",
            "val_nll_causal_nats_high",
            "train_tokens_per_s",
            "train_tokens_per_s_low",
            "train_tokens_per_s_high",
            "on_frontier",
            "p_on_frontier",
        ),
        "attainment": ("attained_in", "train_tokens_per_s", "val_nll_causal_nats"),
    }
    may_be_empty = ("attainment",)

    def draw(self, tables: Tables) -> Canvas:
        """Draw perplexity (up is worse) against training speed (right is better)."""
        cells = measured(tables["summary"])
        attainment = tables["attainment"]
        canvas = Canvas(figsize=(style.WIDTH_IN, 7.1))
        axes = canvas.add_axes((0.085, 0.328, 0.88, 0.65))
        _crosses(axes, cells)
        for each in rows(leaking(cells)):
            _parallel(axes, each, cells)
        stairs = _staircase(axes, cells)
        surfaces.draw(axes, attainment)
        for each in rows(cells):
            _marker(axes, each, cells)
        _axes(axes)
        place(axes, [_label(each) for each in rows(cells)], lines=[stairs])
        handles = [*_legend(cells), *surfaces.handles(attainment)]
        canvas.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, 0.24), ncols=3)
        write_below(canvas, [*_note(tables["summary"], cells), *surfaces.note(attainment)])
        return canvas

    def caption(self, tables: Tables) -> str:
        """Name the members of the frontier, and those whose membership is open."""
        cells = measured(tables["summary"])
        members = [_name(each) for each in rows(cells) if each.on_frontier]
        unsure = [
            f"{_name(each)} ({each.p_on_frontier:.2f})"
            for each in rows(cells)
            if style.is_unsure(each.p_on_frontier)
        ]
        text = [
            "Held-out perplexity without later tokens against training speed, a marker per router "
            "and capacity factor.",
            f"On the Pareto frontier: {join(members)}."
            if members
            else "No arm has both measures, so there is no frontier.",
        ]
        if unsure:
            text.append(
                f"Open, because the intervals overlap (probability of membership): {join(unsure)}."
            )
        outside = [
            f"{_name(each)} ({np.exp(each.val_nll_nats):.3f})" for each in rows(leaking(cells))
        ]
        if outside:
            text.append(
                "Hollow and on no frontier: the perplexity with later tokens in view, which no "
                f"text in the making has: {join(outside)}."
            )
        caught = [_name(each) for each in rows(cells[hides_later_tokens(cells)])]
        if caught:
            text.append(f"Kept off, because it looks at later tokens unsaid: {join(caught)}.")
        shaded = surfaces.note(tables["attainment"])
        return " ".join([*text, *_note(tables["summary"], cells), *shaded])


def measured(summary: pd.DataFrame) -> pd.DataFrame:
    """Cells with both measures, with the perplexity that counts and its interval."""
    cells = summary.dropna(subset=["val_nll_causal_nats", "train_tokens_per_s"]).copy()
    cells["tokens_per_s"] = cells["train_tokens_per_s"]
    for end in ("", "_low", "_high"):
        cells[f"ppl{end}"] = np.exp(cells[f"val_nll_causal_nats{end}"].astype(float))
    cells["on_frontier"] = cells["on_frontier"].eq(True) & ~hides_later_tokens(cells)
    return cells.reset_index(drop=True)


def leaking(cells: pd.DataFrame) -> pd.DataFrame:
    """Cells whose score of whole texts had later tokens in view."""
    return cells[cells["causality"] == style.NON_CAUSAL].dropna(subset=["val_nll_nats"])


def vertices(cells: pd.DataFrame) -> list[tuple[float, float]]:
    """Members of the frontier, from slow to fast."""
    members = cells[cells["on_frontier"]]
    return sorted(zip(members["tokens_per_s"], members["ppl"], strict=True))


def _crosses(axes: Axes, cells: pd.DataFrame) -> None:
    for each in rows(cells):
        colour = style.look(each.router).colour
        if not np.isnan(each.ppl_low):
            axes.plot([each.tokens_per_s] * 2, [each.ppl_low, each.ppl_high], color=colour, lw=1.3)
        if not np.isnan(each.train_tokens_per_s_low):
            ends = [each.train_tokens_per_s_low, each.train_tokens_per_s_high]
            axes.plot(ends, [each.ppl] * 2, color=colour, lw=1.3)


def _staircase(axes: Axes, cells: pd.DataFrame) -> list[tuple[float, float]]:
    """Edge of what some causal arm beats in both: level up to a member, then up to the next."""
    corners = vertices(cells)
    if not corners:
        return []
    axes.margins(0.1, 0.12)
    axes.autoscale_view()
    (left, _), (_, top) = axes.get_xlim(), axes.get_ylim()
    axes.set(xlim=axes.get_xlim(), ylim=axes.get_ylim())
    path = [(left, corners[0][1])]
    for (x, y), (_, following) in zip(corners, [*corners[1:], (0, top)], strict=True):
        path += [(x, y), (x, following)]
    axes.plot(*zip(*path, strict=True), color=style.FRONTIER, lw=1.6, ls=(0, (6, 3)), zorder=1,
              gid="frontier")  # fmt: skip
    return path


def _marker(axes: Axes, each: Any, cells: pd.DataFrame) -> None:
    """A larger marker is a larger capacity factor; a ring says that membership is open."""
    size = _size(each.capacity_factor, cells)
    look = style.point(each.router)
    axes.plot(
        each.tokens_per_s, each.ppl, ls="", ms=size, zorder=3, gid=f"cell {_name(each)}", **look
    )
    if style.is_unsure(each.p_on_frontier):
        axes.plot(each.tokens_per_s, each.ppl, **_ring(size + 9), zorder=2, gid="unsure")


def _parallel(axes: Axes, each: Any, cells: pd.DataFrame) -> None:
    """The score with later tokens in view: hollow, larger, and joined to the one that counts."""
    ppl = float(np.exp(each.val_nll_nats))
    look = style.point(each.router, style.NON_CAUSAL)
    axes.plot([each.tokens_per_s] * 2, [ppl, each.ppl], lw=1.1, ls=":", color=look["color"])
    size = _size(each.capacity_factor, cells) + AROUND
    axes.plot(each.tokens_per_s, ppl, ls="", ms=size, gid=f"parallel {_name(each)}", **look)


def _ring(size: float) -> dict[str, Any]:
    return {"ls": "", "marker": "o", "ms": size, "mfc": "none", "mec": style.INK, "mew": 1.1}


def _size(capacity_factor: float, cells: pd.DataFrame) -> float:
    factors = sorted(cells["capacity_factor"].dropna().unique())
    return 8.5 if capacity_factor not in factors else 7 + 2.5 * factors.index(capacity_factor)


def _name(each: Any) -> str:
    return style.cell(each.router, each.capacity_factor)


def _label(each: Any) -> Label:
    """What is written beside a marker, clear of its intervals."""
    probability = f" (p={each.p_on_frontier:.2f})" if style.is_unsure(each.p_on_frontier) else ""
    level = (each.train_tokens_per_s_low, each.train_tokens_per_s_high)
    upright = (each.ppl_low, each.ppl_high)
    return Label(
        _name(each) + probability,
        style.ink(each.router),
        each.tokens_per_s,
        each.ppl,
        None if np.isnan(level).any() else level,
        None if np.isnan(upright).any() else upright,
    )


def _axes(axes: Axes) -> None:
    axes.set_xlabel("training speed in tokens/s  (faster is better →)")
    axes.set_ylabel("← better   held-out perplexity, without later tokens")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")


def _legend(cells: pd.DataFrame) -> list[Line2D]:
    handles = [
        Line2D([], [], ls="", ms=8, label=style.label(router), **style.point(router))
        for router in style.order(cells["router"])
    ]
    for router in style.order(leaking(cells)["router"]):
        hollow = style.point(router, style.NON_CAUSAL)
        name = f"{style.label(router)}, later tokens in view"
        handles.append(Line2D([], [], ls="", ms=8, label=name, **hollow))
    handles.append(Line2D([], [], color=style.FRONTIER, ls=(0, (6, 3)), label="Pareto frontier"))
    if any(style.is_unsure(each.p_on_frontier) for each in rows(cells)):
        handles.append(Line2D([], [], **_ring(12), label="may or may not be on it (p)"))
    return handles


def _note(summary: pd.DataFrame, cells: pd.DataFrame) -> list[str]:
    notes = ["CF: capacity factor, the larger marker has the larger one. Lines: 95 % intervals."]
    absent = summary[summary["val_nll_causal_nats"].isna() | summary["train_tokens_per_s"].isna()]
    if len(absent):
        names = [_name(each) for each in rows(absent)]
        notes.append(f"Not drawn, for want of a measure: {join(names)}.")
    if cells[["ppl_low", "train_tokens_per_s_low"]].isna().any(axis=None):
        notes.append("Where a line is missing, there were too few repetitions for an interval.")
    return notes
