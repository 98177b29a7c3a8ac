"""How sure is the gate, and how even is what it asks for? Load CV against gate entropy."""

import math
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from moebench.figures import style
from moebench.figures.base import ArmFigure, Tables, highest, lowest, rows
from moebench.figures.labelling import Label, place
from moebench.figures.notes import join, router_handles, write_below


class GateBalance(ArmFigure):
    """One marker per router and capacity factor; entropy of the gate over all experts."""

    title = "How sure is the gate, and how even is what it asks for?"
    columns = {
        "summary": (
            "router",
            "capacity_factor",
            "causality",
            "num_experts",
            "num_shared_experts",
            "expert_granularity",
            "gate_entropy_nats",
            "load_cv_routed",
        )
    }

    def draw(self, tables: Tables) -> Canvas:
        """Draw load CV before capacity against the entropy of softmax over all experts."""
        summary = tables["summary"]
        cells = drawn(summary)
        canvas = Canvas(figsize=(style.WIDTH_IN, 6.2))
        axes = canvas.add_axes((0.085, 0.315, 0.895, 0.565))
        for router in style.order(cells["router"]):
            mine = cells[cells["router"] == router]
            look = style.point(router, mine["causality"].iloc[0])
            xs, ys = mine["gate_entropy_nats"], mine["load_cv_routed"]
            axes.plot(xs, ys, ms=9, lw=1, gid=f"cells {router}", **look)
        axes.set_xlabel("gate entropy over all experts, in nats  (sure ←  → undecided)")
        axes.set_ylabel("load CV before capacity  (0 is even)")
        axes.margins(0.12, 0.15)
        _largest_entropy(axes, cells)
        place(axes, [_label(each) for each in rows(cells)])
        canvas.legend(
            handles=router_handles(cells), loc="upper center", bbox_to_anchor=(0.5, 0.21), ncols=3
        )
        write_below(canvas, _note(summary))
        return canvas

    def caption(self, tables: Tables) -> str:
        """Name the surest and the least decided gate."""
        cells = drawn(tables["summary"])
        text = [
            "Load CV before capacity against the gate's entropy, the mean over held-out tokens of "
            "the entropy of the softmax over all experts."
        ]
        if len(cells):
            for which, row in (
                ("surest", lowest(cells, "gate_entropy_nats")),
                ("least decided", highest(cells, "gate_entropy_nats")),
            ):
                share = row.gate_entropy_nats / math.log(row.num_experts)
                name = style.cell(row.router, row.capacity_factor)
                text.append(f"The {which} gate: {name}, at {share:.0%} of the largest entropy.")
        return " ".join([*text, *_note(tables["summary"])])


def drawn(summary: pd.DataFrame) -> pd.DataFrame:
    """Cells with a gate that has an entropy, ``num_experts`` those among which it chooses."""
    cells = summary.dropna(subset=["gate_entropy_nats", "load_cv_routed"])
    fine = cells["num_experts"] * cells["expert_granularity"] - cells["num_shared_experts"]
    cells = cells.assign(num_experts=fine.astype(int))
    return cells[cells["num_experts"] > 1].sort_values("capacity_factor")


def _label(each: Any) -> Label:
    name = style.cell(each.router, each.capacity_factor)
    return Label(name, style.ink(each.router), each.gate_entropy_nats, each.load_cv_routed)


def _largest_entropy(axes: Axes, cells: pd.DataFrame) -> None:
    """Mark ln E, where a gate knows nothing; with one E, show shares of it along the top."""
    for num_experts in sorted(cells["num_experts"].unique()):
        axes.axvline(math.log(num_experts), color=style.FRONTIER, ls=":", gid="largest entropy")
    if cells["num_experts"].nunique() == 1:
        largest = math.log(cells["num_experts"].iloc[0])
        scale: Any = (lambda nats: nats / largest, lambda share: share * largest)
        top = axes.secondary_xaxis("top", functions=scale)
        top.set_xlabel(
            f"share of the largest entropy, ln {cells['num_experts'].iloc[0]:g} (dotted)"
        )
        top.xaxis.set_major_formatter(lambda share, _: f"{share:.0%}")


def _note(summary: pd.DataFrame) -> list[str]:
    absent = summary[~summary.index.isin(drawn(summary).index)]
    if absent.empty:
        return ["A line joins the capacity factors of a router."]
    names = [style.label(router) for router in style.order(absent["router"])]
    return [
        "A line joins the capacity factors of a router.",
        f"Not drawn, because they learn no gate or have no such measure: {join(names)}.",
    ]
