"""Does an even load go with a good model? Load CV before and after capacity, and perplexity."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from moebench.figures import style
from moebench.figures.base import ArmFigure, Tables, highest, rows
from moebench.figures.notes import join, router_handles, write_below

PANELS = {
    "load_cv_routed": "what was asked for (before capacity)",
    "load_cv": "what was served (after capacity)",
}


class LoadVsPpl(ArmFigure):
    """Two panels with one perplexity axis; a line joins the capacity factors of a router."""

    title = "Does an even load go with a good model?"
    columns = {
        "summary": (
            "router",
            "capacity_factor",
            "causality",
            "val_ppl_causal",
            "load_cv",
            "load_cv_routed",
        )
    }

    def draw(self, tables: Tables) -> Canvas:
        """Draw both panels; dense networks, which have no load, are level lines."""
        summary = tables["summary"]
        canvas = Canvas(figsize=(style.WIDTH_IN, 6.2))
        left, right = canvas.subplots(
            1, 2, sharey=True,
            gridspec_kw={"left": 0.08, "right": 0.985, "top": 0.94, "bottom": 0.335,
                         "wspace": 0.06},
        )  # fmt: skip
        for axes, (quantity, title) in zip((left, right), PANELS.items(), strict=True):
            _panel(axes, summary, quantity)
            axes.set_title(title)
            axes.set_xlabel("load CV over experts  (0 is even)")
        left.set_ylabel("← better   perplexity, without later tokens")
        canvas.legend(
            handles=router_handles(summary),
            loc="upper center",
            bbox_to_anchor=(0.5, 0.215),
            ncols=3,
        )
        write_below(canvas, _note(summary))
        return canvas

    def caption(self, tables: Tables) -> str:
        """Say how strongly demand and perplexity go together, and which router is least even."""
        cells = drawn(tables["summary"], "load_cv_routed")
        text = [
            "Coefficient of variation of tokens per expert on held-out text, against perplexity "
            "without later tokens."
        ]
        if len(cells) >= 3 and cells[["load_cv_routed", "val_ppl_causal"]].nunique().min() > 1:
            rho = cells["load_cv_routed"].corr(cells["val_ppl_causal"], method="spearman")
            text.append(
                f"Over {len(cells)} arms the rank correlation of demand and perplexity is "
                f"{rho:.2f}; it compares routers, it shows no cause."
            )
        if len(cells):
            worst = highest(cells, "load_cv_routed")
            name = style.cell(worst.router, worst.capacity_factor)
            text.append(f"The least even demand is {worst.load_cv_routed:.2f}: {name}.")
        return " ".join([*text, *_note(tables["summary"])])


def drawn(summary: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """Cells that have the quantity and a perplexity."""
    return summary.dropna(subset=[quantity, "val_ppl_causal"]).sort_values("capacity_factor")


def _panel(axes: Axes, summary: pd.DataFrame, quantity: str) -> None:
    cells = drawn(summary, quantity)
    largest = cells["capacity_factor"].max()
    for router in style.order(cells["router"]):
        mine = cells[cells["router"] == router]
        look = style.point(router, mine["causality"].iloc[0])
        axes.plot(mine[quantity], mine["val_ppl_causal"], ms=8.5, gid=f"cells {router}", **look)
        for each in rows(mine):
            if each.capacity_factor == largest and len(mine) > 1:
                _name_factor(axes, getattr(each, quantity), each)
    for each in rows(_dense(summary)):
        axes.axhline(
            each.val_ppl_causal, lw=1.6, gid=f"level {each.router}", **style.line(each.router)
        )
    axes.margins(x=0.21)  # room for the names of capacity factors


def _name_factor(axes: Axes, x: float, each: Any) -> None:
    axes.annotate(
        f"CF {float(each.capacity_factor)}",
        (x, each.val_ppl_causal),
        xytext=(8, 0),
        textcoords="offset points",
        va="center",
        size=9.5,
        path_effects=style.CLEAR,
        color=style.ink(each.router),
    )


def _dense(summary: pd.DataFrame) -> pd.DataFrame:
    """Networks without a capacity factor, hence without a load."""
    return summary[summary["capacity_factor"].isna()].dropna(subset=["val_ppl_causal"])


def _note(summary: pd.DataFrame) -> list[str]:
    notes = []
    if summary["capacity_factor"].nunique() > 1:
        notes.append(
            "A line joins the capacity factors of a router; the largest is written beside it."
        )
    if len(_dense(summary)):
        notes.append("Level lines: dense networks, which route nothing.")
    routed = summary[summary["capacity_factor"].notna()]
    if (routed["causality"] == style.NON_CAUSAL).any():
        notes.append(
            "Hollow: load with later tokens in view, by which a non-causal router chooses."
        )
    absent = routed[routed[[*PANELS, "val_ppl_causal"]].isna().any(axis=1)]
    if len(absent):
        names = [style.cell(each.router, each.capacity_factor) for each in rows(absent)]
        notes.append(f"Not (wholly) drawn, for want of a measure: {join(names)}.")
    return notes
