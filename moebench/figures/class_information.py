"""Does the expert tell the kind of character? Information, beside an untrained model and chance."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from moebench.figures import style
from moebench.figures.base import Figure, Tables, rows
from moebench.figures.notes import join, write_below

QUANTITY = "class_information_unbiased_nats"


class ClassInformation(Figure):
    """A panel for each layer, a line for each router: every seed, untrained and trained."""

    title = "Does the expert tell the kind of character?"
    columns = {
        "specialisation": (
            "router",
            "seed",
            "state",
            "layer",
            "class_entropy_nats",
            "p_value",
            "class_information_unbiased_nats",
            "class_information_unbiased_nats_low",
            "class_information_unbiased_nats_high",
            "chance_nats",
            "chance_nats_low",
            "chance_nats_high",
            "learnt_nats",
            "learnt_nats_low",
            "learnt_nats_high",
        )
    }
    keys = {"specialisation": ("router", "seed", "state", "layer")}

    def draw(self, tables: Tables) -> Canvas:
        """Draw mutual information with intervals over windows, and the range of chance."""
        table = tables["specialisation"]
        routers, layers = style.order(table["router"]), sorted(table["layer"].unique())
        height = 1.9 + 0.62 * len(routers)
        canvas = Canvas(figsize=(style.WIDTH_IN, height))
        panels = canvas.subplots(
            1, len(layers), sharey=True, sharex=True, squeeze=False,
            gridspec_kw={"left": 0.17, "right": 0.985, "top": 1 - 0.33 / height,
                         "bottom": 1.45 / height, "wspace": 0.06},
        )[0]  # fmt: skip
        for axes, layer in zip(panels, layers, strict=True):
            for place, router in enumerate(routers):
                mine = table[(table["router"] == router) & (table["layer"] == layer)]
                _line(axes, mine, router, place)
            axes.set_title(f"layer {layer}", size=11)
            axes.set_xlabel("information on the class of character, in nats")
            axes.grid(False, axis="y")
        panels[0].set_yticks(range(len(routers)), [style.label(router) for router in routers])
        panels[0].set_ylim(len(routers) - 0.45, -0.55)
        canvas.legend(
            handles=_handles(), loc="lower center", bbox_to_anchor=(0.5, 0.48 / height), ncols=3
        )
        write_below(canvas, _note(table))
        return canvas

    def caption(self, tables: Tables) -> str:
        """Say who tells more after training than before, and who does not."""
        table = tables["specialisation"]
        text = [
            "Mutual information between a token's class of character and the experts asked for, "
            "less the bias of its estimate; 95 % intervals over windows, one marker for each seed."
        ]
        trained = table[table["state"] == "trained"]
        more = [
            router
            for router in style.order(trained["router"])
            if (trained.loc[trained["router"] == router, "learnt_nats_low"] > 0).all()
        ]
        if more:
            text.append(
                "In every layer and seed more after training than before: "
                f"{join(style.label(router) for router in more)}."
            )
        return " ".join([*text, *_note(table)])


def _line(axes: Axes, mine: pd.DataFrame, router: str, place: int) -> None:
    seeds = sorted(mine["seed"].unique())
    for each in rows(mine):
        is_trained = each.state == "trained"
        y = place + 0.14 * (seeds.index(each.seed) - (len(seeds) - 1) / 2) + 0.03 * is_trained
        look: dict[str, Any] = {"color": style.look(router).colour if is_trained else "#6a6a6a"}
        ends = [getattr(each, f"{QUANTITY}_{end}") for end in ("low", "high")]
        axes.hlines(y, *ends, lw=1.3, **look)
        axes.plot(
            getattr(each, QUANTITY), y, marker="o" if is_trained else "D", ms=5.5, mew=1.3,
            markerfacecolor=look["color"] if is_trained else "white",
            gid=f"{each.state} {router} {each.seed}", **look,
        )  # fmt: skip
    if len(mine):
        low, high = mine["chance_nats_low"].min(), mine["chance_nats_high"].max()
        axes.fill_betweenx([place - 0.36, place + 0.36], low, high, color="#d8d8d8", lw=0, zorder=0)


def _handles() -> list[Any]:
    grey = "#6a6a6a"
    return [
        Line2D([], [], marker="o", color=style.INK, ms=5.5, label="trained"),
        Line2D([], [], marker="D", color=grey, mfc="white", ms=5.5, label="untrained, same seed"),
        Patch(facecolor="#d8d8d8", label="chance: the same routing of other windows"),
    ]


def _note(table: pd.DataFrame) -> list[str]:
    entropy = table["class_entropy_nats"].max()
    notes = [f"The classes of the text hold {entropy:.2f} nats; nobody can tell more."]
    within = table[(table["state"] == "trained") & (table["p_value"] > 0.05)]
    if len(within):
        names = [style.label(router) for router in style.order(within["router"])]
        notes.append(f"Within what chance gives, in some layer and seed: {join(names)}.")
    return notes
