"""Which classes of characters go to which expert, untrained above and trained below."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure as Canvas
from matplotlib.image import AxesImage

from moebench.analysis.specialisation.classes import CLASSES
from moebench.figures import style
from moebench.figures.base import Figure, Tables, highest, rows
from moebench.figures.experts import last_layer, note, one_seed
from moebench.figures.notes import write_below

STATES = ("untrained", "trained")
_SCALE = TwoSlopeNorm(0, -3, 3)  # in doublings


class TokenClasses(Figure):
    """A column for each router; colour tells how far a class is over its share of the text."""

    title = "Which classes of characters go to which expert?"
    columns = {
        "shares": (
            "router",
            "seed",
            "state",
            "layer",
            "expert",
            "token_class",
            "share",
            "share_low",
            "share_high",
            "text_share",
        )
    }
    keys = {"shares": ("router", "seed", "state", "layer", "expert", "token_class")}

    def draw(self, tables: Tables) -> Canvas:
        """Draw maps of classes and experts; a sign where the interval leaves the text's share."""
        table = last_layer(one_seed(tables["shares"]))
        routers = style.order(table["router"])
        classes = [name for name in CLASSES if name in set(table["token_class"])]
        canvas = Canvas(figsize=(style.WIDTH_IN, 6.3))
        grid = canvas.subplots(
            2, len(routers), sharex=True, sharey=True, squeeze=False,
            gridspec_kw={"left": 0.15, "right": 0.985, "top": 0.945, "bottom": 0.28,
                         "hspace": 0.08, "wspace": 0.07},
        )  # fmt: skip
        for row, state in enumerate(STATES):
            for column, router in enumerate(routers):
                mine = table[(table["router"] == router) & (table["state"] == state)]
                image = _panel(grid[row, column], mine, classes)
            grid[row, 0].set_yticks(range(len(classes)), classes)
            grid[row, 0].set_ylabel(state)
        for column, router in enumerate(routers):
            grid[0, column].set_title(style.label(router), size=10.5)
            grid[-1, column].set_xlabel("expert")
        bar = canvas.colorbar(
            image, cax=canvas.add_axes((0.3, 0.165, 0.4, 0.022)), orientation="horizontal",
            ticks=[-3, -2, -1, 0, 1, 2, 3],
        )  # fmt: skip
        bar.ax.set_xticklabels(["1/8", "1/4", "1/2", "as in the text", "2", "4", "8"], size=9.5)
        bar.set_label("share among what the expert is given, over share of the text", size=10)
        write_below(canvas, _note(tables["shares"]))
        return canvas

    def caption(self, tables: Tables) -> str:
        """Name the expert that is given most of a class beyond its share of the text."""
        table = last_layer(one_seed(tables["shares"]))
        text = [
            "Share of each class of character among what an expert is given, over the share of "
            "that class in all that is routed."
        ]
        for state in STATES:
            mine = table[(table["state"] == state) & (table["share_low"] > table["text_share"])]
            if len(mine):
                most = highest(mine.assign(lift=mine["share"] / mine["text_share"]), "lift")
                text.append(
                    f"Strongest when {state}: {most.token_class} with expert {most.expert} of "
                    f"{style.label(most.router)}, {most.share:.0%} "
                    f"({most.share_low:.0%} to {most.share_high:.0%}) of what it is given, "
                    f"{most.text_share:.0%} of the text."
                )
            else:
                text.append(f"When {state}, no class is over its share of the text.")
        return " ".join([*text, *_note(tables["shares"])])


def _panel(axes: Axes, mine: pd.DataFrame, classes: list[str]) -> AxesImage:
    num_experts = int(mine["expert"].max()) + 1
    lift = np.full((len(classes), num_experts), np.nan)
    for each in rows(mine):
        share = max(each.share, 2.0**-10 * each.text_share)  # colours end at 1/8 anyway
        lift[classes.index(each.token_class), each.expert] = np.log2(share / each.text_share)
    image = axes.imshow(lift, cmap="PuOr_r", norm=_SCALE, aspect="auto")
    for each in rows(mine):
        is_over, is_under = each.share_low > each.text_share, each.share_high < each.text_share
        sign = "+" if is_over else "\u2212" if is_under else ""
        place = (each.expert, classes.index(each.token_class))
        value = lift[place[1], place[0]]
        ink = "white" if abs(value) > 2 else style.INK
        axes.text(*place, sign, ha="center", va="center", size=9.5, color=ink)
    axes.grid(False)
    axes.tick_params(length=0)
    return image


def _note(table: pd.DataFrame) -> list[str]:
    return [
        note(table),
        "A sign stands where the 95 % interval over windows leaves the text's share: + above, "
        "\u2212 below; none where a class never comes to an expert, for then there is no interval. "
        "Every panel tests many cells, so one in forty has a sign by chance.",
    ]
