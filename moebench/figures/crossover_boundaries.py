"""How far the crossover moves with what is counted: idle power, the host, or time alone."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from moebench.analysis.energy import boundaries
from moebench.figures import crossover_rows, networks, style, ticks
from moebench.figures.base import Figure, Tables, rows
from moebench.figures.notes import join, write_below

# A subtracted power stands left of zero, an added one right of it.
SIGN = {boundaries.NET: -1, boundaries.GROSS: 0, boundaries.WITH_HOST: 1}


class CrossoverBoundaries(Figure):
    """Left the published data under every boundary, right the crossovers found here."""

    title = "From which size on does a mixture pay, and what moves that?"
    columns = {
        "published": (
            "kernel",
            "boundary",
            "assumed_w",
            "crossover_params",
            "crossover_params_low",
            "crossover_params_high",
            "smallest_params",
            "largest_params",
            "run_noise",
        ),
        "elsewhere": (
            "origin",
            "size",
            "network",
            "kernel",
            "num_params",
            "train_accuracy",
            "learning",
        ),
        "crossover": (
            "quantity",
            "baseline",
            "kernel",
            "dtype",
            "batch_size",
            "boundary",
            "crossover_params",
            "crossover_params_low",
            "crossover_params_high",
            "smallest_params",
            "largest_params",
            "verdict",
        ),
    }

    may_be_empty = ("crossover",)

    def draw(self, tables: Tables) -> Canvas:
        """Draw both panels."""
        canvas = Canvas(figsize=(style.WIDTH_IN, 6.6))
        left, right = canvas.subplots(
            1, 2,
            gridspec_kw={"left": 0.095, "right": 0.985, "top": 0.93, "bottom": 0.25,
                         "wspace": 1.1, "width_ratios": (1.25, 1)},
        )  # fmt: skip
        _published(left, tables["published"], tables["elsewhere"])
        crossover_rows.draw(right, tables["crossover"])
        here = crossover_rows.shown(tables["crossover"])
        canvas.legend(
            handles=networks.handles([*tables["published"]["kernel"], *here["kernel"]]),
            loc="lower center",
            bbox_to_anchor=(0.5, 0.115),
            ncols=3,
        )
        write_below(canvas, _note(tables))
        return canvas

    def caption(self, tables: Tables) -> str:
        """Say by how much the published crossover moves, and what was found here."""
        found = tables["crossover"]
        text = [
            "The size from which on a mixture does more with a joule than a dense network of equal "
            "parameters, against what is counted."
        ]
        counts = found["verdict"].value_counts()
        told = [f"{verdict} ({number})" for verdict, number in counts.items()]
        text.append(f"Right: {len(found)} crossovers on this machine; {join(told or ['none'])}.")
        return " ".join([*text, published_sentence(tables["published"]), *_note(tables)])


def published_sentence(published: pd.DataFrame) -> str:
    """The published crossover under each boundary, from its table."""
    chosen = published[published["kernel"] == "chosen"]
    gross = rows(chosen[chosen["boundary"] == boundaries.GROSS])[0]
    time = rows(chosen[chosen["boundary"] == boundaries.TIME])[0]
    net = at(chosen, boundaries.NET, (40, 60))
    host = at(chosen, boundaries.WITH_HOST, (50, 500))
    return (
        f"Published data: {networks.size(gross.crossover_params)} "
        f"({networks.size(gross.crossover_params_low)} to "
        f"{networks.size(gross.crossover_params_high)} by run noise) for the GPU alone; "
        f"{networks.size(net[1])} to {networks.size(net[0])} with an assumed idle power of 40 to "
        f"60 W subtracted; {networks.size(host[0])} to {networks.size(host[1])} with an assumed "
        f"50 to 500 W of host added; {networks.size(time.crossover_params)} in time alone."
    )


def at(lines: pd.DataFrame, boundary: str, powers_w: tuple[float, float]) -> list[float]:
    """Crossovers of one kernel under one boundary, at these assumed powers."""
    here = lines[lines["boundary"] == boundary].set_index("assumed_w")["crossover_params"]
    return [float(here[w]) for w in powers_w]


def _published(axes: Axes, published: pd.DataFrame, elsewhere: pd.DataFrame) -> None:
    axes.set(yscale="log", xlim=(-75, 515), xlabel="watts: idle subtracted | host added")
    axes.set_title("published data (A100, f32, batch 128)", size=11)
    axes.set_ylabel("crossover, in parameters")
    for kernel in networks.order(published["kernel"]):
        mine = published[published["kernel"] == kernel]
        energy = mine[mine["boundary"].isin(SIGN)].copy()
        energy["x"] = energy["boundary"].map(SIGN) * energy["assumed_w"]
        energy = energy.sort_values("x")
        axes.plot(
            energy["x"], energy["crossover_params"], gid=f"crossover {kernel}",
            **networks.line(kernel),
        )  # fmt: skip
        axes.fill_between(
            energy["x"], energy["crossover_params_low"], energy["crossover_params_high"],
            color=networks.look(kernel).colour, alpha=0.2, lw=0,
        )  # fmt: skip
        _marks(axes, kernel, energy, mine[mine["boundary"] == boundaries.TIME])
    largest = published["largest_params"].max()
    axes.set_ylim(published["smallest_params"].min() / 1.6, largest * 1.6)
    ticks.log(axes.yaxis, ticks.number)
    _sizes(axes, elsewhere[elsewhere["origin"] == "published"])


def _marks(axes: Axes, kernel: str, energy: pd.DataFrame, time: pd.DataFrame) -> None:
    """The GPU alone as a point, and time alone as the level that the line climbs to."""
    gross = energy[energy["x"] == 0]
    axes.plot(gross["x"], gross["crossover_params"], ms=8, **networks.point(kernel))
    level = rows(time)[0].crossover_params
    if kernel == "chosen" and np.isfinite(level):
        axes.axhline(level, gid="time", lw=1.1, ls=(0, (1, 2)), color=networks.look(kernel).colour)
        axes.annotate(
            f"time alone: {networks.size(level)}", (505, level), xytext=(0, 4),
            textcoords="offset points", ha="right", size=9.5, path_effects=style.CLEAR,
        )  # fmt: skip
        for each in rows(gross):
            axes.annotate(
                f"GPU alone: {networks.size(each.crossover_params)}", (0, each.crossover_params),
                xytext=(12, -16), textcoords="offset points", size=9.5, path_effects=style.CLEAR,
            )  # fmt: skip


def _sizes(axes: Axes, points: pd.DataFrame) -> None:
    """The sizes at the right edge, with both accuracies; hatched where one learnt little."""
    named = networks.named(points).set_index(["size", "name"])
    poor = [size for size in points["size"].unique() if _is_poor(named, size)]
    for size in points["size"].unique():
        dense, moe = (named.loc[(size, name)] for name in ("dense_total", "chosen"))
        chance = " (chance)" if dense["learning"] == "chance" else ""
        text = (
            f"{size}: MoE {moe['train_accuracy']:.0%},\ndense {dense['train_accuracy']:.0%}{chance}"
        )
        axes.axhline(moe["num_params"], gid=f"size {size}", color="#9a9a9a", lw=0.8)
        axes.annotate(
            text, (1, moe["num_params"]), xycoords=("axes fraction", "data"), xytext=(5, 0),
            textcoords="offset points", va="center", size=9,
            weight="bold" if size in poor else "normal", annotation_clip=False,
        )  # fmt: skip
    if poor:
        below = points[~points["size"].isin(poor)]["num_params"].max()
        axes.axhspan(
            below, axes.get_ylim()[1], gid="not learned", fc="none", ec="#c8c8c8", hatch="//"
        )


def _is_poor(named: pd.DataFrame, size: str) -> bool:
    return any(
        named.loc[(size, name), "learning"] in ("partly", "chance")
        for name in ("dense_total", "chosen")
    )


def _note(tables: Tables) -> list[str]:
    noise = tables["published"]["run_noise"].iloc[0]
    note = [
        f"Band: what a run noise of {noise:.1%} does (from networks that were run twice). Hatched: "
        "crossovers that lean on a network that has not learnt its task; accuracies are of the "
        "training set."
    ]
    mine = tables["crossover"]
    if len(mine) and (mine["quantity"] == "time").all():
        note.append("Right: crossovers in time, as no energy was measured here.")
    hidden = len(crossover_rows.shown(mine)) - crossover_rows.MOST_ROWS
    if hidden > 0:
        note.append(f"{hidden} more are in the table.")
    return note
