"""One quantity against the size of the network: a panel for each device, number type and batch."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from moebench.analysis.energy.boundaries import headline
from moebench.figures import labelling, networks, style, ticks
from moebench.figures.base import Tables, rows
from moebench.figures.labelling import Label
from moebench.figures.notes import write_below

COLUMNS = 3
PANEL_HEIGHT_IN = 3.1
LINE_CHARACTERS = 105  # of a sentence over the whole width
MOST_PANELS = 6  # of this machine: smallest, published and largest batch of two number types
PUBLISHED_BATCH = 128
POOR = ("partly", "chance")
NO_JOULES = "No joules here: "


@dataclass(frozen=True)
class Panel:
    """What one pair of axes shows."""

    title: str
    points: pd.DataFrame  # empty: a frame with a sentence
    sentence: str = ""


def draw(panels: Sequence[Panel], quantity: str, name: str) -> Canvas:
    """Draw the panels in rows of three; ``quantity`` is a column, ``name`` what the axis says."""
    columns = min(COLUMNS, len(panels))
    num_rows = -(-len(panels) // columns)
    height = PANEL_HEIGHT_IN * num_rows + 1.5
    canvas = Canvas(figsize=(style.WIDTH_IN, height))
    grid = canvas.add_gridspec(
        num_rows, columns, left=0.085, right=0.985, top=1 - 0.5 / height, bottom=1.75 / height,
        hspace=0.52, wspace=0.3,
    )  # fmt: skip
    for place, panel in enumerate(panels):
        axes = canvas.add_subplot(grid[place])
        axes.set_title(panel.title, size=10.5)
        if panel.points.empty:
            frame(axes, panel.sentence, LINE_CHARACTERS // columns)
        else:
            _lines(axes, panel.points, quantity)
            axes.set_xlabel("parameters")
        if place % columns == 0:
            axes.set_ylabel(name)
    shown = pd.concat([panel.points for panel in panels])
    if len(shown):
        canvas.legend(
            handles=networks.handles(shown["name"]),
            loc="lower center",
            bbox_to_anchor=(0.5, 0.42 / height),
            ncols=3,
        )
    write_below(canvas, [hollow_note(shown)] if len(shown) else [])
    return canvas


def frame(axes: Axes, sentence: str, characters: int) -> None:
    """An empty panel that says why it is empty."""
    axes.set_gid("empty")
    axes.set(xticks=[], yticks=[], xlim=(0, 1), ylim=(0, 1))
    axes.grid(False)
    for side in axes.spines.values():
        side.set_visible(True)
        side.set_color("#9a9a9a")
    text = "\n".join(textwrap.wrap(sentence, characters))
    axes.text(0.5, 0.5, text, ha="center", va="center", size=9.5, color=style.INK)


def panels_of(tables: Tables, quantity: str) -> list[Panel]:
    """Panels of this machine, then those of others."""
    cells = tables["cells"]
    return [
        *own_panels(networks.named(headline(cells)), quantity),
        *elsewhere_panels(networks.named(headline(tables["elsewhere"])), quantity),
    ]


def own_panels(cells: pd.DataFrame, quantity: str) -> list[Panel]:
    """Panels of this machine; one empty frame with the reasons where nothing has the quantity."""
    known = cells.dropna(subset=[quantity])
    if known.empty:
        return [Panel("this machine", known, NO_JOULES + reasons(cells))]
    panels = []
    for (dtype, batch_size), mine in known.groupby(["dtype", "batch_size"]):
        if batch_size in shown_batches(known):
            panels.append(Panel(f"this machine: {dtype}, batch {batch_size}", mine))
    return panels[:MOST_PANELS]


def elsewhere_panels(elsewhere: pd.DataFrame, quantity: str) -> list[Panel]:
    """Panels of published and brought-home points, each with device and date."""
    known = elsewhere.dropna(subset=[quantity])
    keys = ["origin", "device", "date", "dtype", "batch_size"]
    panels = []
    for (origin, device, date, dtype, batch_size), mine in known.groupby(keys, dropna=False):
        when = f" {date}" if isinstance(date, str) and date else ""
        title = f"{origin}{when}: {device}\n{dtype}, batch {batch_size}"
        if batch_size in shown_batches(known):
            panels.append(Panel(title, mine))
    return panels


def shown_batches(table: pd.DataFrame) -> list[int]:
    """The smallest batch, the largest, and the published one or else the one in the middle."""
    batches = sorted(table["batch_size"].unique())
    if not batches:
        return []
    middle = PUBLISHED_BATCH if PUBLISHED_BATCH in batches else batches[len(batches) // 2]
    return sorted({batches[0], middle, batches[-1]})


def left_out(table: pd.DataFrame) -> str:
    """Sentence on the batches that have no panel, or nothing."""
    rest = sorted(set(table["batch_size"]) - set(shown_batches(table)))
    return f"Not drawn here: batch {', '.join(map(str, rest))}." if rest else ""


def reasons(cells: pd.DataFrame) -> str:
    """Why there are no joules: each reason once."""
    told = cells["energy_reason"].dropna().drop_duplicates()
    return "; ".join(told) if len(told) else "no window was measured"


def caption(tables: Tables, quantity: str, what: str, more: str) -> str:
    """What the panels show, and how far the best mixture is from the dense network in each."""
    sentences = [f"{what}, against the number of parameters."]
    for panel in panels_of(tables, quantity):
        title = panel.title.replace("\n", ", ")
        who = "Published data" if title.startswith("published") else title[0].upper() + title[1:]
        sentences.append(f"{who}: {panel.sentence or _comparison(panel.points, quantity, more)}.")
    cells = tables["cells"].dropna(subset=[quantity])
    return " ".join([*sentences, *([left_out(cells)] if left_out(cells) else [])])


def _comparison(points: pd.DataFrame, quantity: str, more: str) -> str:
    """The best mixture beside the dense network of equal size, at both ends of the sizes."""
    best = points[points["network"] == "moe"].groupby("size")[quantity].max()
    dense = points[points["name"] == "dense_total"].set_index("size")
    both = [size for size in dense.sort_values("num_params").index if size in best.index]
    if not both:
        return "no size has both a mixture and a dense network of equal parameters"
    told = []
    for size in dict.fromkeys((both[0], both[-1])):
        ratio = best[size] / dense.loc[size, quantity]
        who = "the best mixture" if ratio > 1 else "the dense network"
        where = networks.size(dense.loc[size, "num_params"])
        told.append(f"at {where} {who} is {max(ratio, 1 / ratio):.2f} times {more}")
    return ", ".join(told)


def hollow_note(points: pd.DataFrame) -> str:
    """What hollow markers mean, with the networks that have them."""
    poor = points[points["learning"].isin(POOR)]
    text = "Hollow: a network that has not learnt its task"
    if poor.empty:
        return text + "; there is none."
    return f"{text}, with its accuracy on the training set beside it (chance is 10 %)."


def _lines(axes: Axes, points: pd.DataFrame, quantity: str) -> None:
    axes.set(xscale="log", yscale="log")
    lines = []
    for name in networks.order(points["name"]):
        mine = points[points["name"] == name].sort_values("num_params")
        lines.append(list(zip(mine["num_params"], mine[quantity], strict=True)))
        axes.plot(mine["num_params"], mine[quantity], gid=f"line {name}", **networks.line(name))
        for each in rows(mine):
            _interval(axes, each, quantity)
            axes.plot(
                each.num_params, getattr(each, quantity), ms=7.5, gid=f"{name} {each.size}",
                zorder=3, **networks.point(name, each.learning),
            )  # fmt: skip
    low, high = points[quantity].min(), points[quantity].max()
    axes.set_ylim(low / 1.5, high * 1.5)
    axes.margins(x=0.14)
    ticks.log(axes.yaxis, ticks.number)
    ticks.log(axes.xaxis, ticks.number)
    poor = points[points["learning"].isin(POOR)].dropna(subset=["train_accuracy"])
    labels = [
        Label(f"{each.train_accuracy:.0%}", style.INK, each.num_params, getattr(each, quantity))
        for each in rows(poor)
    ]
    labelling.place(axes, labels, lines)


def _interval(axes: Axes, each: Any, quantity: str) -> None:
    low, high = (getattr(each, f"{quantity}_{end}", float("nan")) for end in ("low", "high"))
    if pd.notna(low) and pd.notna(high):
        axes.vlines(each.num_params, low, high, color=networks.look(each.name).colour, lw=1.4)
