"""The published adapters on the published axis and on activated parameters; what still holds."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from moebench.figures import adapters, style
from moebench.figures.base import Figure, Tables, rows
from moebench.figures.notes import join, write_below

AXES = {
    "published_efficiency": ("on_published_frontier", "the published axis: (k/N) (rank/16)"),
    "num_activated_lora_params": ("on_frontier", "activated LoRA parameters per token"),
}
READINGS = {
    "rank": "at equal rank",
    "published_efficiency": "on the published axis",
    "num_activated_lora_params": "on activated parameters",
    "top_k": "at equal rank and number",
}
VERDICTS = {True: "holds", False: "fails"}


class PerftPublished(Figure):
    """Two panels with one axis of 1 / perplexity; below them the statements that were tried."""

    title = "Do the published statements on adapters hold?"
    columns = {
        "published": (
            "variant",
            "rank",
            "num_adapters",
            "top_k",
            "ppl",
            "repeat",
            "published_efficiency",
            "num_activated_lora_params",
            "on_published_frontier",
            "on_frontier",
        ),
        "statements": (
            "statement",
            "axis",
            "loss",
            "num_compared",
            "num_held",
            "survives",
        ),
    }
    keys = {"published": ("variant", "rank", "num_adapters", "top_k", "repeat")}

    def draw(self, tables: Tables) -> Canvas:
        """Draw both panels, up is better, and the table of statements."""
        runs = tables["published"].assign(quality=1 / tables["published"]["ppl"])
        canvas = Canvas(figsize=(style.WIDTH_IN, 9.2))
        panels = canvas.subplots(
            1, 2, sharey=True,
            gridspec_kw={"left": 0.085, "right": 0.985, "top": 0.985, "bottom": 0.49,
                         "wspace": 0.06},
        )  # fmt: skip
        for axes, (axis, (membership, title)) in zip(panels, AXES.items(), strict=True):
            _panel(axes, runs, axis, membership)
            axes.set_xlabel(f"{title}  (← cheaper)")
        panels[0].set_ylabel("1 / published perplexity  (up is better)")
        canvas.legend(
            handles=adapters.handles(runs["variant"]),
            loc="upper center",
            bbox_to_anchor=(0.53, 0.435),
            ncols=4,
        )
        _write_statements(canvas, tables["statements"])
        write_below(canvas, _note(runs))
        return canvas

    def caption(self, tables: Tables) -> str:
        """Say which statements survive, and which do not."""
        tried = tables["statements"]
        text = ["Published adapters on OLMoE-1B-7B-0924, one seed each, redrawn."]
        for survives, verb in ((True, "survive"), (False, "do not")):
            told = [
                f"{each.statement} {READINGS[each.axis]} (loss {each.loss}: {each.num_held} of "
                f"{each.num_compared})"
                for each in rows(tried[tried["survives"].eq(survives)])
            ]
            if told:
                text.append(f"These {verb}: {join(told)}.")
        return " ".join([*text, *_note(tables["published"])])


def _panel(axes: Axes, runs: pd.DataFrame, axis: str, membership: str) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(adapters.parameters)
    for number, each in enumerate(rows(runs)):
        axes.plot(
            getattr(each, axis),
            each.quality,
            ls="",
            zorder=3,
            gid=f"run {number}",
            **adapters.point(each, runs["rank"].tolist()),
        )
    axes.margins(0.08, 0.06)
    axes.autoscale_view()
    axes.set_xlim(axes.get_xlim())
    members = runs[runs[membership].eq(True)]
    adapters.staircase(axes, members[axis].tolist(), members["quality"].tolist())


def _write_statements(canvas: Canvas, statements: pd.DataFrame) -> None:
    """One line per statement and reading, with both losses side by side."""
    losses = list(dict.fromkeys(statements["loss"]))
    lefts = (0.085, 0.36, 0.565, 0.72)
    top, step = 0.345, 0.0235
    header = ["statement", "read", *(f"loss {loss}" for loss in losses)]
    for left, text in zip(lefts, header, strict=True):
        canvas.text(left, top, text, size=9.5, weight="bold", color=style.INK)
    grouped = statements.groupby(["statement", "axis"], sort=False)
    for line, ((statement, axis), tried) in enumerate(grouped, start=1):
        cells = [str(statement), READINGS[str(axis)], *(_verdict(tried, loss) for loss in losses)]
        for left, text in zip(lefts, cells, strict=True):
            weight = "bold" if text.startswith(VERDICTS[False]) else "normal"
            canvas.text(left, top - line * step, text, size=9.5, weight=weight, color=style.INK)


def _verdict(tried: pd.DataFrame, loss: str) -> str:
    [each] = rows(tried[tried["loss"] == loss])
    return f"{VERDICTS[bool(each.survives)]} ({each.num_held} of {each.num_compared})"


def _note(runs: pd.DataFrame) -> list[str]:
    repeats = runs.groupby(["variant", "rank", "num_adapters", "top_k"], dropna=False)["ppl"]
    spread = (repeats.max() - repeats.min()).max()
    return [
        adapters.SIZE_NOTE,
        f"One seed a point and no interval; runs repeated by accident differ by up to "
        f"{spread:.3f} in perplexity. The published loss contains auxiliary losses.",
    ]
