"""Do the routers keep their order? Ranks in every condition, and Kendall's tau between them."""

import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D

from moebench.figures import style
from moebench.figures.base import Figure, Tables, rows
from moebench.figures.conditions import label
from moebench.figures.notes import write_below

RANKS_IN = 3.6  # height of the upper panel
PAIR_IN = 0.27  # height of a line of the lower one
EDGES_IN = (0.35, 0.85, 1.15)  # above, between and below the panels
TICK_CHARACTERS, PAIR_CHARACTERS, LEGEND_CHARACTERS = 13, 46, 18  # before a name is broken
DODGE = 0.11  # of a condition's width, between two routers
NOTHING = "Nothing to compare: fewer than two conditions rank two routers."


class RankStability(Figure):
    """Above, a line per router from condition to condition; below, a line per pair of them."""

    title = "Do the routers keep their order?"
    columns = {
        "ranks": ("condition", "router", "causality", "rank", "rank_low", "rank_high", "p_best"),
        "rank_stability": (
            "condition_a",
            "condition_b",
            "num_routers",
            "kendall_tau",
            "kendall_tau_low",
            "kendall_tau_high",
            "num_reversed",
            "verdict",
        ),
    }
    keys = {"ranks": ("condition", "router"), "rank_stability": ("condition_a", "condition_b")}
    may_be_empty = ("ranks", "rank_stability")

    def draw(self, tables: Tables) -> Canvas:
        """Draw both panels; the lower one grows with the number of pairs."""
        ranks, stability = tables["ranks"], tables["rank_stability"]
        if stability.empty:
            canvas = Canvas(figsize=(style.WIDTH_IN, 1.2))
            write_below(canvas, [NOTHING])
            return canvas
        pairs_in = PAIR_IN * (len(stability) + 1)
        height_in = RANKS_IN + pairs_in + sum(EDGES_IN)
        canvas = Canvas(figsize=(style.WIDTH_IN, height_in))
        top = 1 - EDGES_IN[0] / height_in
        upper = canvas.add_axes((0.075, top - RANKS_IN / height_in, 0.7, RANKS_IN / height_in))
        lower = canvas.add_axes((0.385, EDGES_IN[2] / height_in, 0.595, pairs_in / height_in))
        _draw_ranks(upper, ranks)
        _draw_pairs(lower, stability)
        canvas.legend(handles=_handles(ranks), loc="upper left", bbox_to_anchor=(0.785, top))
        write_below(canvas, _note(ranks))
        return canvas

    def caption(self, tables: Tables) -> str:
        """Say between which conditions the order differs most, and what the seeds contradict."""
        stability = tables["rank_stability"]
        if stability.empty:
            return NOTHING
        text = [
            "Rank of each router by held-out loss without later tokens in each condition, 1 the "
            "best."
        ]
        known = stability.dropna(subset=["kendall_tau"])
        if len(known):
            least = rows(known.sort_values("kendall_tau", kind="stable"))[0]
            text.append(
                f"Lowest Kendall's tau: {least.kendall_tau:.2f}, between "
                f"{label(least.condition_a)} and {label(least.condition_b)}."
            )
        swapped = int((stability["num_reversed"] > 0).sum())
        text.append(
            f"In {swapped} of {len(stability)} pairs of conditions some order turns round beyond "
            "the spread of the seeds."
        )
        return " ".join([*text, *_note(tables["ranks"])])


def _draw_ranks(axes: Axes, ranks: pd.DataFrame) -> None:
    conditions = list(dict.fromkeys(ranks["condition"]))
    routers = style.order(ranks["router"])
    for place, router in enumerate(routers):
        mine = ranks[ranks["router"] == router].set_index("condition").reindex(conditions)
        x = np.arange(len(conditions)) + DODGE * (place - (len(routers) - 1) / 2)
        axes.plot(x, mine["rank"], lw=1, alpha=0.45, **style.line(router))
        axes.plot(x, mine["rank"], ls="", ms=8, gid=f"ranks {router}", **style.point(router))
        axes.vlines(x, mine["rank_low"], mine["rank_high"], color=style.look(router).colour, lw=1.8)
        for at, (rank, chance) in zip(x, mine[["rank", "p_best"]].to_numpy(), strict=True):
            if rank == 1 and np.isfinite(chance):
                axes.annotate(
                    f"p={chance:.2f}", (at, 1), xytext=(0, 9), textcoords="offset points",
                    ha="center", size=9.5, color=style.ink(router),
                )  # fmt: skip
    axes.set_xticks(range(len(conditions)), map(_upright, conditions), size=10)
    axes.set_yticks(range(1, int(ranks["rank"].max()) + 1))
    axes.set_ylim(ranks["rank"].max() + 0.5, 0.35)
    axes.set_ylabel("rank, 1 the best")
    axes.grid(axis="x", visible=False)


def _draw_pairs(axes: Axes, stability: pd.DataFrame) -> None:
    for y, each in enumerate(rows(stability)):
        face = "white" if each.verdict == "open" else style.INK
        axes.hlines(y, each.kendall_tau_low, each.kendall_tau_high, color=style.INK, lw=1.6)
        marker = "X" if each.verdict == "reversed" else "o"
        axes.plot(
            each.kendall_tau, y, ls="", marker=marker, ms=8, color=style.INK,
            markerfacecolor=face, gid=f"pair {each.condition_a} | {each.condition_b}",
        )  # fmt: skip
    names = [_pair(label(each.condition_a), label(each.condition_b)) for each in rows(stability)]
    axes.set_yticks(range(len(names)), names, size=9.0, linespacing=0.95)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlim(-1.06, 1.06)
    axes.axvline(0, color=style.FRONTIER, lw=1)
    axes.set_xlabel("Kendall's tau  (1: the same order, 0: unrelated, −1: the reverse)")


def _upright(condition: str) -> str:
    """Name of a condition in the lines of a narrow column."""
    lines = label(condition, "\n").split("\n")
    return "\n".join(part for line in lines for part in textwrap.wrap(line, TICK_CHARACTERS))


def _pair(one: str, other: str) -> str:
    """Names of two conditions side by side, or one below the other where they are long."""
    is_long = len(one) + len(other) > PAIR_CHARACTERS
    return f"{one}  –\n{other}" if is_long else f"{one}  –  {other}"


def _handles(ranks: pd.DataFrame) -> list[Line2D]:
    causality = dict(zip(ranks["router"], ranks["causality"], strict=True))
    names = {router: style.causal_label(router, causality[router]) for router in causality}
    return [
        Line2D(
            [],
            [],
            ls="",
            ms=8,
            label=textwrap.fill(names[router], LEGEND_CHARACTERS),
            **style.point(router),
        )
        for router in style.order(names)
    ]


def _note(ranks: pd.DataFrame) -> list[str]:
    notes = [
        "Lines through markers are 95 % intervals, p is the share of draws in which the first is "
        "the best. Below, a filled circle: all routers told apart in both and in one order; an X: "
        "some order turns round; a hollow circle: open."
    ]
    if ranks["rank_low"].isna().any():
        notes.append("Without an interval: too few seeds.")
    return notes
