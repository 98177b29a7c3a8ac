"""How much of the future each router steals, and whom it sends elsewhere for another one."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator

from moebench.figures import style
from moebench.figures.base import Figure, Tables, rows
from moebench.figures.notes import join, write_below

NON_CAUSAL = style.NON_CAUSAL
ROW_IN = 0.42


class Leaks(Figure):
    """One line per certificate: what it declares and is, its leak, the tokens it reroutes."""

    title = "Which router looks at later tokens?"
    columns = {
        "certificates": (
            "router",
            "router_options",
            "drop_policy",
            "pool",
            "declared",
            "found",
            "future_routes_changed",
            "leak_nats",
            "leak_nats_low",
            "leak_nats_high",
            "floor_nats",
        )
    }

    def draw(self, tables: Tables) -> Canvas:
        """Draw leaks with intervals against the floor, and rerouted tokens beside them."""
        table = ordered(tables["certificates"])
        height = 1.8 + ROW_IN * len(table)
        canvas = Canvas(figsize=(style.WIDTH_IN, height))
        left, right = canvas.subplots(
            1, 2, sharey=True,
            gridspec_kw={"left": 0.40, "right": 0.985, "top": 1 - 0.4 / height,
                         "bottom": 1.15 / height, "wspace": 0.14, "width_ratios": (3, 2)},
        )  # fmt: skip
        for place, each in enumerate(rows(table)):
            _line(left, right, place, each)
        _frame(left, right, table)
        write_below(canvas, [_note(table)])
        return canvas

    def caption(self, tables: Tables) -> str:
        """Say who looks at later tokens, what it is worth, and whether it was declared."""
        table = ordered(tables["certificates"])
        looking = table[table["found"] == NON_CAUSAL]
        text = [
            "Left: loss below the entropy of uniform tokens, which only later tokens can give. "
            "Right: earlier tokens whose experts change when later ones are replaced."
        ]
        named = [f"{name(each)} ({each.leak_nats:.4f} nats)" for each in rows(looking)]
        text.append(f"Non-causal: {join(named)}." if named else "No router is non-causal.")
        differing = [name(each) for each in rows(table[table["declared"] != table["found"]])]
        if differing:
            text.append(f"Found otherwise than declared: {join(differing)}.")
        return " ".join([*text, _note(table)])


def ordered(table: pd.DataFrame) -> pd.DataFrame:
    """Certificates from the largest leak, at the top, to the least."""
    keys = table.assign(leaks=table["found"] == NON_CAUSAL)
    return keys.sort_values(["leaks", "leak_nats"], ascending=False, kind="stable")


def name(each: Any) -> str:
    """A certificate, for a reader."""
    words = [style.label(each.router)]
    if each.router_options != "{}":
        words.append(each.router_options)
    if each.drop_policy != style.USUAL_POLICY:
        words.append(style.POLICIES[each.drop_policy])
    if each.pool != "batch":
        words.append(f"(pool: {each.pool})")
    return " ".join(words)


def _line(left: Axes, right: Axes, place: int, each: Any) -> None:
    look = style.point(each.router, each.found)
    ends = [each.leak_nats_low, each.leak_nats_high]
    left.plot(ends, [place, place], color=look["color"], lw=2.2, zorder=2)
    left.plot(each.leak_nats, place, ls="", ms=8.5, zorder=3, gid=f"leak {place}", **look)
    right.barh(
        place,
        100 * each.future_routes_changed,
        height=0.5,
        color=look["color"],
        gid=f"rerouted {place}",
    )
    right.annotate(
        f"{each.future_routes_changed:.0%}",
        (100 * each.future_routes_changed, place),
        xytext=(4, 0),
        textcoords="offset points",
        va="center",
        size=10,
    )


def _frame(left: Axes, right: Axes, table: pd.DataFrame) -> None:
    left.axvline(0, color=style.INK, lw=1.4, ls=(0, (6, 3)), zorder=1, gid="floor")
    left.annotate(
        "floor", (0, 1), xycoords=("data", "axes fraction"), xytext=(4, 3),
        textcoords="offset points", size=10,
    )  # fmt: skip
    words = [f"{name(each)}\n{_classes(each)}" for each in rows(table)]
    left.set_yticks(range(len(table)), words, size=10)
    left.set_ylim(len(table) - 0.5, -0.5)
    left.set_xlabel("leak in nats per token")
    left.xaxis.set_major_locator(MaxNLocator(4))
    right.set_xlabel("earlier tokens rerouted, %")
    right.margins(x=0.25)


def _classes(each: Any) -> str:
    if each.declared == each.found:
        return f"{each.found}, as declared"
    return f"{each.found}, declared {each.declared}"


def _note(table: pd.DataFrame) -> str:
    return (
        f"The floor is {table['floor_nats'].iloc[0]:.4f} nats. Hollow: non-causal. Lines: 95 % "
        "intervals over batches of fresh tokens. A short training finds a lower bound of the leak."
    )
