"""Which layout is the fastest at which batch and width? Measured, with the predicted border."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from moebench.figures import layouts, style
from moebench.figures.base import Figure, Tables, rows
from moebench.figures.notes import write_below

FIXED = ["num_experts", "top_k", "hidden_dim", "output_dim", "communicator", "backend"]
HATCH = "////"


@dataclass(frozen=True)
class Chosen:
    """Sizes that share all but batch, width, ranks and direction."""

    sizes: pd.DataFrame
    borders: pd.DataFrame
    num_left_out: int


class RegimeMap(Figure):
    """A rectangle per measured size, coloured by who is fastest; a column per number of ranks."""

    title = "Which layout is fastest at which batch and width?"
    columns = {
        "regimes": (
            "communicator",
            "backend",
            "world_size",
            "num_experts",
            "batch_size",
            "top_k",
            "feature_dim",
            "hidden_dim",
            "output_dim",
            "direction",
            "oversubscribed",
            "fastest_layout",
            "is_tie",
            "tied_with",
        ),
        "borders": (
            "communicator",
            "backend",
            "world_size",
            "num_experts",
            "batch_size",
            "top_k",
            "feature_dim",
            "hidden_dim",
            "output_dim",
            "direction",
            "predicted_fastest_layout",
        ),
    }

    may_be_empty = ("borders",)

    def draw(self, tables: Tables) -> Canvas:
        """Draw rectangles, hatched for ties, and lines where the model expects a change."""
        chosen = _chosen(tables)
        ranks = sorted(chosen.sizes["world_size"].unique())
        directions = [name for name in layouts.DIRECTIONS if name in set(chosen.sizes["direction"])]
        height = 2.1 + 2.6 * len(directions)
        canvas = Canvas(figsize=(style.WIDTH_IN, height))
        grid = canvas.subplots(
            len(directions), len(ranks), sharex=True, sharey=True, squeeze=False,
            gridspec_kw={"left": 0.115, "right": 0.985, "top": 1 - 0.38 / height,
                         "bottom": 1.72 / height, "hspace": 0.1, "wspace": 0.06},
        )  # fmt: skip
        for axes_W, direction in zip(grid, directions, strict=True):
            for axes, world_size in zip(axes_W, ranks, strict=True):
                where = {"direction": direction, "world_size": world_size}
                _map(axes, _where(chosen.sizes, where), chosen.sizes)
                _contours(axes, _where(chosen.borders, where))
            axes_W[0].set_ylabel(f"width\n{layouts.DIRECTIONS[str(direction)]}")
        for axes, world_size in zip(grid[0], ranks, strict=True):
            axes.set_title(_title(chosen.sizes, world_size), fontsize=10.5)
        for axes in grid[-1]:
            axes.set_xlabel("batch in samples")
        canvas.legend(
            handles=_legend(chosen), loc="upper center", ncols=3,
            bbox_to_anchor=(0.53, 1.2 / height),
        )  # fmt: skip
        write_below(canvas, _note(chosen))
        return canvas

    def caption(self, tables: Tables) -> str:
        """Count who wins where."""
        chosen = _chosen(tables)
        text = ["Fastest layout at each measured batch and width."]
        for (ranks, direction), here in chosen.sizes.groupby(["world_size", "direction"]):
            clear = here[~here["is_tie"]]["fastest_layout"].value_counts()
            won = [f"{layouts.label(str(name))} {count}" for name, count in clear.items()]
            ties = int(here["is_tie"].sum())
            text.append(
                f"{ranks} ranks, {layouts.DIRECTIONS[str(direction)]}: of {len(here)} sizes "
                f"{', '.join([*won, f'ties {ties}'])}."
            )
        return " ".join([*text, *_note(chosen)])


def _chosen(tables: Tables) -> Chosen:
    """The setting in which most sizes were measured; a direction with one size makes no map."""
    regimes, borders = tables["regimes"], tables["borders"]
    groups = list(regimes.groupby(FIXED, sort=True))
    key, sizes = max(groups, key=lambda group: len(group[1]))
    fixed = dict(zip(FIXED, key, strict=True))
    num_sizes = sizes.groupby("direction")["direction"].transform("size")
    sizes = sizes[num_sizes > min(1, num_sizes.max() - 1)]
    return Chosen(sizes, _where(borders, fixed), len(regimes) - len(sizes))


def _where(table: pd.DataFrame, wanted: dict[str, Any]) -> pd.DataFrame:
    return table[(table[list(wanted)] == list(wanted.values())).all(axis=1)]


def _map(axes: Axes, here: pd.DataFrame, every: pd.DataFrame) -> None:
    """Rectangles that meet halfway between neighbours, on log axes."""
    num_maps = every["world_size"].nunique()
    xs, ys = (sorted(every[name].unique()) for name in ("batch_size", "feature_dim"))
    x_edges, y_edges = _edges(xs), _edges(ys)
    for each in rows(here):
        colour = layouts.look(each.fastest_layout).colour
        i, j = xs.index(each.batch_size), ys.index(each.feature_dim)
        axes.add_patch(
            Rectangle(
                (x_edges[i], y_edges[j]),
                x_edges[i + 1] - x_edges[i],
                y_edges[j + 1] - y_edges[j],
                facecolor=colour,
                edgecolor="white",
                hatch=HATCH if each.is_tie else "",
                lw=1.0,
                gid=f"size {each.fastest_layout}",
            )
        )
        axes.text(
            np.sqrt(x_edges[i] * x_edges[i + 1]),
            np.sqrt(y_edges[j] * y_edges[j + 1]),
            _letters(each),
            ha="center",
            va="center",
            size=8,
            color=layouts.ink_on(each.fastest_layout),
            bbox={"facecolor": colour, "edgecolor": "none", "pad": 1.5},
            zorder=4,
        )
    axes.set(xscale="log", yscale="log", xlim=(x_edges[0], x_edges[-1]))
    axes.set_ylim(y_edges[0], y_edges[-1])
    for axis, values in ((axes.xaxis, xs), (axes.yaxis, ys)):
        axis.set_major_locator(FixedLocator(values))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.tick_params(axis="x", labelrotation=45 if len(xs) * num_maps > 8 else 0, labelsize=9)
    axes.grid(visible=False)


def _edges(values: list[int]) -> list[float]:
    """Where rectangles end: halfway on a log scale, and as far beyond the ends."""
    if len(values) == 1:
        return [values[0] / 1.5, values[0] * 1.5]
    middle = np.sqrt(np.multiply(values[:-1], values[1:]))
    return [values[0] ** 2 / middle[0], *middle, values[-1] ** 2 / middle[-1]]


def _letters(each: Any) -> str:
    if not each.is_tie:
        return layouts.short(each.fastest_layout)
    rivals = str(each.tied_with).split()
    more = f"={layouts.short(rivals[0])}" if len(rivals) == 1 else f"={len(rivals)}"
    return layouts.short(each.fastest_layout) + more


def _contours(axes: Axes, grid: pd.DataFrame) -> None:
    """Lines around the area where the model expects each layout to be fastest."""
    names = layouts.order(grid["predicted_fastest_layout"])
    if len(names) < 2:
        return  # one layout everywhere, or no model
    wide = grid.pivot(index="feature_dim", columns="batch_size", values="predicted_fastest_layout")
    for name in names:
        inside = (wide == name).to_numpy(float)
        for width, colour, dashes in ((4.2, "white", "solid"), (1.8, style.INK, "dashed")):
            axes.contour(
                wide.columns.to_numpy(float), wide.index.to_numpy(float), inside,
                levels=[0.5], colors=[colour], linewidths=[width], linestyles=[dashes],
            )  # fmt: skip


def _title(sizes: pd.DataFrame, world_size: int) -> str:
    here = sizes[sizes["world_size"] == world_size]
    crowded = " (more than cores)" if here["oversubscribed"].all() else ""
    return f"{world_size} {'rank' if world_size == 1 else 'ranks'}{crowded}"


def _legend(chosen: Chosen) -> list[Patch | Line2D]:
    rivals = [each.split()[0] for each in chosen.sizes["tied_with"].dropna() if " " not in each]
    names = [*chosen.sizes["fastest_layout"], *rivals, *chosen.borders["predicted_fastest_layout"]]
    handles: list[Patch | Line2D] = [*layouts.patches(names)]
    if chosen.sizes["is_tie"].any():
        handles.append(Patch(facecolor="#bbbbbb", edgecolor="white", hatch=HATCH, label="tie"))
    if len(chosen.borders):
        handles.append(Line2D([], [], color=style.INK, ls="--", label="predicted border"))
    return handles


def _note(chosen: Chosen) -> list[str]:
    first = chosen.sizes.iloc[0]
    notes = [
        f"{first['num_experts']} experts, top-k {first['top_k']}, {first['communicator']}.",
        "White: not measured.",
    ]
    if chosen.sizes["is_tie"].any():
        notes.append("Tie: 95 % intervals overlap; = names the rival, or counts them.")
    if chosen.sizes["oversubscribed"].any():
        notes.append("More than cores: ranks take turns on a core.")
    if chosen.borders.empty:
        notes.append("No border is drawn: no model covers this area.")
    if chosen.num_left_out:
        notes.append(f"{chosen.num_left_out} sizes of other settings are in the table.")
    return notes
