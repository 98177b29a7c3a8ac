"""Is a larger gate worth its cost? Quality against speed, a marker per gate, a panel per router."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from moebench.figures import style, ticks
from moebench.figures.base import ArmFigure, Tables, lowest, rows
from moebench.figures.notes import join, write_below

MARKERS = {"linear": "o", "mlp": "s", "mlp_hadamard": "D"}
LATER = ("^", "v", "P", "X", "<", ">")  # for gates that are added, in the order of their names
COLUMNS = 3
PANEL_IN = 2.5
NOTHING = "Nothing to draw: without a router there is no gate."
EDGES_IN = (0.4, 1.35)  # above and below the panels


class Gates(ArmFigure):
    """One panel per router, all with the same axes."""

    title = "Is a larger gate worth its cost?"
    columns = {
        "summary": (
            "router",
            "capacity_factor",
            "gate",
            "causality",
            "val_ppl_causal",
            "val_ppl_causal_low",
            "val_ppl_causal_high",
            "train_tokens_per_s",
            "train_tokens_per_s_low",
            "train_tokens_per_s_high",
        )
    }
    keys = {"summary": ("router", "capacity_factor", "gate")}

    def draw(self, tables: Tables) -> Canvas:
        """Draw each router's gates, joined in the order of the legend."""
        routed = _routed(tables["summary"])
        routers = style.order(routed["router"])
        if not routers:
            canvas = Canvas(figsize=(style.WIDTH_IN, 1.2))
            write_below(canvas, [NOTHING])
            return canvas
        num_rows = -(-len(routers) // COLUMNS)
        height_in = num_rows * PANEL_IN + sum(EDGES_IN)
        canvas = Canvas(figsize=(style.WIDTH_IN, height_in))
        panels = canvas.subplots(
            num_rows, COLUMNS, sharex=True, sharey=True, squeeze=False,
            gridspec_kw={"left": 0.085, "right": 0.985, "top": 1 - EDGES_IN[0] / height_in,
                         "bottom": EDGES_IN[1] / height_in, "wspace": 0.06, "hspace": 0.22},
        )  # fmt: skip
        for axes, router in zip(panels.flat, routers, strict=False):
            _draw_router(axes, routed[routed["router"] == router])
            axes.xaxis.set_tick_params(labelbottom=True)
            axes.xaxis.set_major_locator(MaxNLocator(4))
            axes.xaxis.set_major_formatter(lambda value, _: ticks.number(value))
        for axes in panels.flat[len(routers) :]:
            axes.set_axis_off()
        for axes in panels[:, 0]:
            axes.set_ylabel("held-out perplexity")
        canvas.supxlabel("training speed in tokens/s", y=0.75 / height_in, size=12)
        canvas.legend(
            handles=[_handle(gate) for gate in _order(routed)],
            loc="upper center",
            bbox_to_anchor=(0.53, 0.68 / height_in),
            ncols=6,
        )
        write_below(canvas, _note(routed))
        return canvas

    def caption(self, tables: Tables) -> str:
        """Name the best gate of each router, and what it costs against the plain matrix."""
        routed = _routed(tables["summary"])
        if routed.empty:
            return NOTHING
        text = ["Held-out perplexity against training speed, for each gate of each router."]
        for router in style.order(routed["router"]):
            mine = routed[routed["router"] == router].dropna(subset=["val_ppl_causal"])
            if len(mine):
                best = lowest(mine, "val_ppl_causal")
                ppl = f"{best.val_ppl_causal:.3f}"
                text.append(f"{style.label(router)}: lowest with {best.gate}, {ppl}.")
        return " ".join([*text, *_note(routed)])


def _routed(summary: pd.DataFrame) -> pd.DataFrame:
    return summary[summary["capacity_factor"].notna()]


def _order(routed: pd.DataFrame) -> list[str]:
    known = list(MARKERS)
    return sorted(
        set(routed["gate"]), key=lambda gate: (known.index(gate) if gate in known else 99, gate)
    )


def _marker(gate: str) -> str:
    later = sum(map(ord, gate)) % len(LATER)
    return MARKERS[gate] if gate in MARKERS else LATER[later]


def _draw_router(axes: Axes, mine: pd.DataFrame) -> None:
    router = mine["router"].iloc[0]
    colour = style.look(router).colour
    for _, group in mine.groupby("capacity_factor"):
        line = group.set_index("gate").reindex(_order(group))
        axes.plot(line["train_tokens_per_s"], line["val_ppl_causal"], lw=1, alpha=0.5, color=colour)
    for each in rows(mine):
        x, y = each.train_tokens_per_s, each.val_ppl_causal
        axes.hlines(y, each.train_tokens_per_s_low, each.train_tokens_per_s_high, color=colour)
        axes.vlines(x, each.val_ppl_causal_low, each.val_ppl_causal_high, color=colour)
        point = {**style.point(router), "marker": _marker(each.gate)}
        axes.plot(x, y, ls="", ms=8, gid=f"gate {router} {each.gate}", **point)
    axes.set_title(style.causal_label(router, mine["causality"].iloc[0]), size=11)


def _handle(gate: str) -> Line2D:
    return Line2D([], [], label=f"gate {gate}", marker=_marker(gate), color=style.INK, ls="", ms=8)


def _note(routed: pd.DataFrame) -> list[str]:
    notes = [
        "Perplexity is without later tokens. Lines through markers are 95 % intervals; a thin line "
        "joins the gates of a router."
    ]
    absent = routed[routed[["val_ppl_causal", "train_tokens_per_s"]].isna().any(axis=1)]
    if len(absent):
        names = [style.cell(each.router, each.capacity_factor, each.gate) for each in rows(absent)]
        notes.append(f"Not drawn, for want of a measure: {join(names)}.")
    if routed["val_ppl_causal_low"].isna().any():
        notes.append("Without an upright line: too few seeds.")
    return notes
