"""Which adapter is worth its parameters? Accuracy and 1 / perplexity against their number."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from moebench.figures import adapters, style
from moebench.figures.base import Figure, Tables, rows
from moebench.figures.labelling import Label, place
from moebench.figures.notes import join, write_below

SIZE = "num_activated_trainable_params"
PANELS = {
    "accuracy": "accuracy on held-out questions",
    "ppl": "1 / perplexity of answers",
}


class PerftFrontier(Figure):
    """Two panels with one axis of parameters; a marker an adapter."""

    title = "Which adapter is worth its parameters?"
    columns = {
        "summary": (
            "arm",
            "variant",
            "rank",
            "num_adapters",
            "top_k",
            "inner",
            "alpha_over_rank",
            "router",
            "legacy_weighting",
            "num_seeds",
            "accuracy",
            "accuracy_low",
            "accuracy_high",
            "answer_ppl",
            "answer_ppl_low",
            "answer_ppl_high",
            "base_answer_nll_nats",
            "base_accuracy",
            "chance_accuracy",
            "num_scored_questions",
            "num_activated_trainable_params",
            "on_frontier_accuracy",
            "p_on_frontier_accuracy",
            "on_frontier_ppl",
            "p_on_frontier_ppl",
        )
    }
    keys = {"summary": ("arm",)}

    def draw(self, tables: Tables) -> Canvas:
        """Draw both scores, up is better, against activated trainable parameters."""
        arms = measured(tables["summary"])
        canvas = Canvas(figsize=(style.WIDTH_IN, 9.6))
        panels = canvas.subplots(
            2, 1, sharex=True,
            gridspec_kw={"left": 0.115, "right": 0.985, "top": 0.985, "bottom": 0.22,
                         "hspace": 0.06},
        )  # fmt: skip
        steps = {}
        for axes, (name, title) in zip(panels, PANELS.items(), strict=True):
            steps[name] = _panel(axes, arms, name)
            axes.set_ylabel(f"{title}\n(up is better)")
        panels[-1].set_xlabel("activated trainable parameters per token  (← cheaper)")
        for axes, name in zip(panels, PANELS, strict=True):
            place(axes, [_label(each, name) for each in rows(arms)], lines=[steps[name]])
        canvas.legend(
            handles=_handles(arms),
            loc="upper center",
            bbox_to_anchor=(0.5, 0.172),
            ncols=4,
            columnspacing=1.2,
            handletextpad=0.5,
        )
        write_below(canvas, _note(arms))
        return canvas

    def caption(self, tables: Tables) -> str:
        """Name the members of both frontiers, and what weighting by the base router costs."""
        arms = measured(tables["summary"])
        first = rows(arms)[0]
        text = [
            f"Scores on {first.num_scored_questions} held-out questions against the trainable "
            "parameters that one token meets."
        ]
        for name, what in (("accuracy", "accuracy"), ("ppl", "perplexity")):
            on_it, open_ones = members(arms, name), unsure(arms, name)
            if on_it:
                text.append(f"On the Pareto frontier by {what}: {join(on_it)}.")
            if open_ones:
                text.append(f"Open by {what} (probability of membership): {join(open_ones)}.")
        for right, wrong in twins(arms):
            text.append(
                f"Weighted by the base router, as published, {adapters.short(right)} has "
                f"perplexity {wrong.answer_ppl:.3f} in place of {right.answer_ppl:.3f} and "
                f"accuracy {wrong.accuracy:.3f} in place of {right.accuracy:.3f}."
            )
        return " ".join([*text, *_note(arms)])


def measured(summary: pd.DataFrame) -> pd.DataFrame:
    """Arms with what is drawn of them: the reciprocal of perplexity, and its interval."""
    arms = summary.copy()
    arms["ppl"] = 1 / arms["answer_ppl"]
    arms["ppl_low"], arms["ppl_high"] = 1 / arms["answer_ppl_high"], 1 / arms["answer_ppl_low"]
    arms["base_ppl"] = np.exp(-arms["base_answer_nll_nats"])
    for name in PANELS:
        arms[f"on_frontier_{name}"] = arms[f"on_frontier_{name}"].eq(True)
    return arms


def members(arms: pd.DataFrame, name: str) -> list[str]:
    """Names of the arms on a frontier."""
    return [adapters.short(each) for each in rows(arms[arms[f"on_frontier_{name}"].eq(True)])]


def unsure(arms: pd.DataFrame, name: str) -> list[str]:
    """Names of the arms whose membership the seeds leave open, with its probability."""
    return [
        f"{adapters.short(each)} ({probability:.2f})"
        for each in rows(arms)
        if style.is_unsure(probability := getattr(each, f"p_on_frontier_{name}"))
    ]


def twins(arms: pd.DataFrame) -> list[tuple[Any, Any]]:
    """Each arm weighted by the base router, after the one that differs in nothing else."""
    same = ("variant", "rank", "num_adapters", "top_k", "inner", "alpha_over_rank", "router")
    found = []
    for wrong in rows(arms[arms["legacy_weighting"]]):
        alike = [
            each
            for each in rows(arms[~arms["legacy_weighting"]])
            if all(_equal(getattr(each, key), getattr(wrong, key)) for key in same)
        ]
        found += [(right, wrong) for right in alike]
    return found


def _equal(a: Any, b: Any) -> bool:
    return bool(pd.isna(a) and pd.isna(b)) or bool(a == b)


def _panel(axes: Axes, arms: pd.DataFrame, name: str) -> list[tuple[float, float]]:
    """Draw one score; the frontier is returned, for names to stay clear of."""
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(adapters.parameters)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_minor_formatter(NullFormatter())
    for each in rows(arms):
        colour = adapters.look(each.variant).colour
        low, high = getattr(each, f"{name}_low"), getattr(each, f"{name}_high")
        if not np.isnan(low):
            axes.plot([getattr(each, SIZE)] * 2, [low, high], color=colour, lw=1.3, zorder=2)
        ranks = arms["rank"].tolist()
        axes.plot(
            getattr(each, SIZE),
            getattr(each, name),
            ls="",
            zorder=3,
            gid=f"arm {each.arm}",
            **adapters.point(each, ranks),
        )
    base = rows(arms)[0]
    axes.axhline(getattr(base, f"base_{name}"), color=style.INK, lw=1.1, ls="-.", zorder=1)
    if name == "accuracy":
        axes.axhline(base.chance_accuracy, color=style.INK, lw=1.1, ls=":", zorder=1)
    axes.margins(0.12, 0.1)
    axes.autoscale_view()
    on_it = arms[arms[f"on_frontier_{name}"]]
    axes.set_xlim(axes.get_xlim())
    for right, wrong in twins(arms):
        _arrow(axes, right, wrong, name)
    return adapters.staircase(axes, on_it[SIZE].tolist(), on_it[name].tolist())


def _arrow(axes: Axes, right: Any, wrong: Any, name: str) -> None:
    """From an arm to the one that repeats the fault."""
    axes.annotate(
        "",
        (getattr(wrong, SIZE), getattr(wrong, name)),
        (getattr(right, SIZE), getattr(right, name)),
        arrowprops={"arrowstyle": "->", "color": style.INK, "lw": 1.2, "shrinkA": 6, "shrinkB": 6},
        zorder=4,
    )


def _label(each: Any, name: str) -> Label:
    low, high = getattr(each, f"{name}_low"), getattr(each, f"{name}_high")
    probability = getattr(each, f"p_on_frontier_{name}")
    told = f" (p={probability:.2f})" if style.is_unsure(probability) else ""
    colour = style.darkened(adapters.look(each.variant).colour)
    upright = None if np.isnan(low) else (low, high)
    text = adapters.short(each) + told
    return Label(text, colour, getattr(each, SIZE), getattr(each, name), None, upright)


def _handles(arms: pd.DataFrame) -> list[Line2D]:
    handles = [
        *adapters.handles(arms["variant"]),
        Line2D([], [], color=style.INK, lw=1.1, ls="-.", label="base without adapter"),
        Line2D([], [], color=style.INK, lw=1.1, ls=":", label="chance"),
    ]
    if arms["legacy_weighting"].any():
        hollow: Any = {"marker": "^", "markerfacecolor": "white", "color": style.INK}
        handles.append(Line2D([], [], ls="", ms=8, label="weighted by the base router", **hollow))
    return handles


def _note(arms: pd.DataFrame) -> list[str]:
    seeds = int(arms["num_seeds"].min())
    notes = [adapters.NAMES_NOTE, adapters.SIZE_NOTE]
    if any(unsure(arms, name) for name in PANELS):
        notes.append("p: how surely an arm is on the frontier, where the seeds leave it open.")
    if seeds > 1:
        notes.append(f"Upright lines: 95 % intervals of the mean over {seeds} seeds.")
    else:
        notes.append("One seed, so no intervals.")
    if arms["legacy_weighting"].any():
        notes.append(
            "Hollow: weighted by the base router, a fault repeated on purpose; never on the "
            "frontier. An arrow leads to it from the same adapter weighted by its own router."
        )
    return notes
