"""Who should be dropped, and how many slots are enough? Trained quality by factor and policy."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D

from moebench.figures import style
from moebench.figures.base import Figure, Tables, lowest, rows
from moebench.figures.notes import write_below

# By policy: colour, marker, shift along the axis. Dropping by weight looks at later tokens, which
# its score here goes without, hence hollow; what drops nobody has no capacity, hence a level line.
LOOKS: dict[str, tuple[str, str, float]] = {
    "position": ("#0072B2", "o", -0.008),
    "gate": ("#D55E00", "D", 0.008),
    "none": ("#1a1a1a", "s", 0.0),
}
SHORT = {"position": "later", "gate": "weight", "none": "dropless"}


class CapacityQuality(Figure):
    """A panel per router, a line per drop policy, with intervals and the verdicts of the seeds."""

    title = "Whom should a full expert drop, and how many slots are enough?"
    columns = {
        "summary": (
            "router",
            "capacity_factor",
            "drop_policy",
            "num_seeds",
            "val_ppl_causal",
            "val_ppl_causal_low",
            "val_ppl_causal_high",
        ),
        "contrasts": (
            "factor",
            "router_a",
            "capacity_factor_a",
            "value_a",
            "value_b",
            "verdict",
        ),
    }
    keys = {"summary": ("router", "capacity_factor", "drop_policy")}

    def draw(self, tables: Tables) -> Canvas:
        """Draw perplexity over capacity factors; below, which policies the seeds tell apart."""
        table = routed(tables)
        routers = style.order(table["router"])
        canvas = Canvas(figsize=(style.WIDTH_IN, 5.6))
        panels = canvas.subplots(
            1, len(routers), sharey=True, sharex=True, squeeze=False,
            gridspec_kw={"left": 0.115, "right": 0.985, "top": 0.93, "bottom": 0.29,
                         "wspace": 0.05},
        )[0]  # fmt: skip
        for axes, router in zip(panels, routers, strict=True):
            _panel(axes, table[table["router"] == router])
            _verdicts(axes, told(tables["contrasts"], router))
            axes.set_title(style.label(router), size=11)
            axes.set_xlabel("capacity factor")
            axes.set_xticks(sorted(table["capacity_factor"].unique()))
        panels[0].set_ylabel("held-out perplexity,\nwithout later tokens")
        panels[0].margins(x=0.25, y=0.25)
        canvas.legend(
            handles=[_handle(policy) for policy in LOOKS if policy in set(table["drop_policy"])],
            loc="upper center", bbox_to_anchor=(0.53, 0.165), ncols=2,
        )  # fmt: skip
        write_below(canvas, _note(table))
        return canvas

    def caption(self, tables: Tables) -> str:
        """Name the best cell of each router, and what the seeds tell apart."""
        table = routed(tables)
        text = [
            "Held-out perplexity of trained models, without later tokens, by capacity factor and "
            "drop policy."
        ]
        for router in style.order(table["router"]):
            best = lowest(table[table["router"] == router], "val_ppl_causal")
            name = style.cell(router, best.capacity_factor, policy=best.drop_policy)
            text.append(f"Lowest: {name}, {best.val_ppl_causal:.3f}.")
            for factor, words in told(tables["contrasts"], router).items():
                text.append(f"At capacity factor {factor:g}: {words.replace(chr(10), ', ')}.")
        return " ".join([*text, *_note(table)])


def routed(tables: Tables) -> pd.DataFrame:
    """Arms with a capacity; dense networks have none."""
    summary = tables["summary"]
    return summary[summary["capacity_factor"].notna()].sort_values("capacity_factor")


def told(contrasts: pd.DataFrame, router: str) -> dict[float, str]:
    """In words, which policies the seeds tell apart, by capacity factor: those first are better."""
    mine = contrasts[(contrasts["factor"] == "drop_policy") & (contrasts["router_a"] == router)]
    found = {}
    for factor in sorted(mine["capacity_factor_a"].unique()):
        pairs = mine[mine["capacity_factor_a"] == factor]
        if pairs["verdict"].isna().any():
            found[factor] = "one seed:\nnot tested"
            continue
        different = [
            " < ".join(SHORT[name] for name in _in_order(each))
            for each in rows(pairs)
            if each.verdict != "tie"
        ]
        found[factor] = "\n".join(different) or "all tie"
    return found


def _in_order(pair: Any) -> tuple[str, str]:
    return (pair.value_a, pair.value_b) if pair.verdict == "lower" else (pair.value_b, pair.value_a)


def _panel(axes: Axes, mine: pd.DataFrame) -> None:
    for policy in sorted(mine["drop_policy"].unique()):
        cells = mine[mine["drop_policy"] == policy]
        colour, marker, shift = LOOKS[policy]
        if policy == "none" and cells["capacity_factor"].nunique() == 1:
            _level(axes, cells, colour)
            continue
        x = cells["capacity_factor"] + shift
        face = "white" if policy == "gate" else colour
        axes.plot(
            x, cells["val_ppl_causal"], marker=marker, ms=8, lw=1.2, color=colour,
            markerfacecolor=face, markeredgewidth=1.6, gid=f"policy {policy}",
        )  # fmt: skip
        axes.vlines(
            x, cells["val_ppl_causal_low"], cells["val_ppl_causal_high"], color=colour, lw=1.5
        )


def _level(axes: Axes, cells: pd.DataFrame, colour: str) -> None:
    [cell] = rows(cells)
    axes.axhline(cell.val_ppl_causal, color=colour, lw=1.5, ls=(0, (6, 2)), gid="policy none")
    if pd.notna(cell.val_ppl_causal_low):
        axes.axhspan(
            cell.val_ppl_causal_low, cell.val_ppl_causal_high, color=colour, alpha=0.09, lw=0
        )


def _verdicts(axes: Axes, words: dict[float, str]) -> None:
    for factor, text in words.items():
        axes.annotate(
            text, (factor, 0), xycoords=("data", "axes fraction"), xytext=(0, 5),
            textcoords="offset points", ha="center", va="bottom", size=9.5, color=style.INK,
            path_effects=style.CLEAR,
        )  # fmt: skip


def _handle(policy: str) -> Line2D:
    colour, marker, _ = LOOKS[policy]
    if policy == "none":
        return Line2D([], [], color=colour, ls=(0, (6, 2)), label="dropless (interval shaded)")
    is_hollow = policy == "gate"
    dropped = "smaller weights first; scored by threshold" if is_hollow else "later tokens first"
    return Line2D(
        [], [], color=colour, marker=marker, ms=8, markerfacecolor="white" if is_hollow else colour,
        label=f"dropped: {dropped}",
    )  # fmt: skip


def _note(table: pd.DataFrame) -> list[str]:
    seeds = int(table["num_seeds"].min())
    if seeds == 1:
        return ["One seed: no intervals, and nothing can be told apart."]
    return [
        f"95 % intervals over {seeds} seeds. Written below: policies that the seeds tell apart, "
        "better first; all tie: none are. Dropless has no capacity factor and is compared at one."
    ]
