"""How adapters learn: loss on training questions, held-out answers and accuracy against steps."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from moebench.figures import adapters, style
from moebench.figures.base import Figure, Tables, lowest, rows
from moebench.figures.notes import join, write_below
from moebench.figures.smoothing import FIRST_SHOWN, smoothing_steps

PANELS = {
    "train_loss_nats": "training loss\nin nats",
    "answer_nll_nats": "held-out answers\nin nats per token",
    "accuracy": "accuracy on\nheld-out questions",
}
SMOOTHED = "train_loss_nats"
LINES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (4, 1.2, 1, 1.2)), (0, (9, 2)))


class PerftCurves(Figure):
    """A column per variant, a row per quantity; within a column a line and a band an arm."""

    title = "How do the adapters learn?"
    columns = {
        "curves": ("arm", "variant", "seed", "step", "quantity", "value"),
        "summary": (
            "arm",
            "variant",
            "rank",
            "num_adapters",
            "top_k",
            "inner",
            "router",
            "legacy_weighting",
            "answer_nll_nats",
            "base_answer_nll_nats",
            "base_accuracy",
        ),
    }
    keys = {"summary": ("arm",)}

    def draw(self, tables: Tables) -> Canvas:
        """Draw lines at the mean of the seeds, bands from the lowest to the highest seed."""
        curves, summary = smoothed(tables["curves"]), tables["summary"]
        variants = adapters.order(summary["variant"])
        canvas = Canvas(figsize=(style.WIDTH_IN, 9.0))
        grid = canvas.subplots(
            len(PANELS), len(variants), sharex=True, sharey="row", squeeze=False,
            gridspec_kw={"left": 0.105, "right": 0.99, "top": 0.965, "bottom": 0.245,
                         "hspace": 0.08, "wspace": 0.07},
        )  # fmt: skip
        for axes_V, (quantity, title) in zip(grid, PANELS.items(), strict=True):
            axes_V[0].set_ylabel(title)
            for axes, variant in zip(axes_V, variants, strict=True):
                mine = summary[summary["variant"] == variant]
                _panel(axes, bands(curves, quantity), mine)
                if quantity != SMOOTHED:
                    base = rows(summary)[0]
                    level = getattr(base, f"base_{quantity}")
                    axes.axhline(level, color=style.INK, lw=1, ls="-.", gid="base")
        _zoom(grid[0][0], curves[curves["quantity"] == SMOOTHED])
        for axes, variant in zip(grid[0], variants, strict=True):
            axes.set_title(adapters.label(variant), fontsize=10.5)
        for axes in grid[-1]:
            axes.set_xlabel("step")
            axes.legend(loc="upper left", bbox_to_anchor=(-0.08, -0.24), handlelength=1.9,
                        fontsize=9.5, borderaxespad=0)  # fmt: skip
        write_below(canvas, _note(tables["curves"]))
        return canvas

    def caption(self, tables: Tables) -> str:
        """Name the arm that ends lowest, and those that end above the base."""
        summary = tables["summary"]
        best = lowest(summary, "answer_nll_nats")
        text = [
            "Learning curves of every adapter, a column per variant.",
            f"The lowest mean loss on held-out answers at the end is {best.answer_nll_nats:.3f} "
            f"nats per token: {adapters.short(best)}; the base alone has "
            f"{best.base_answer_nll_nats:.3f}.",
        ]
        above = summary[summary["answer_nll_nats"] >= summary["base_answer_nll_nats"]]
        if len(above):
            names = [adapters.short(each) for each in rows(above)]
            text.append(f"Not below the base: {join(names)}.")
        return " ".join([*text, *_note(tables["curves"])])


def smoothed(curves: pd.DataFrame) -> pd.DataFrame:
    """Curves with the loss of single batches replaced by a centred running mean, per run."""
    noisy = curves[curves["quantity"] == SMOOTHED].sort_values("step")
    width = smoothing_steps(curves)
    means = noisy.groupby(["arm", "seed"])["value"].transform(
        lambda values: values.rolling(width, center=True, min_periods=1).mean()
    )
    result = curves.copy()
    result["value"] = result["value"].astype(float)
    result.loc[means.index, "value"] = means
    return result


def bands(curves: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """Mean, lowest and highest seed of every arm at each step."""
    chosen = curves[curves["quantity"] == quantity]
    return chosen.groupby(["arm", "step"])["value"].agg(["mean", "min", "max"]).reset_index()


def _panel(axes: Axes, drawn: pd.DataFrame, arms: pd.DataFrame) -> None:
    colour = adapters.look(arms["variant"].iloc[0]).colour
    for place, each in enumerate(rows(arms)):
        mine = drawn[drawn["arm"] == each.arm]
        steps = mine["step"].to_numpy()
        paler = 1 - 0.5 * place / max(1, len(arms) - 1)
        axes.plot(
            steps, mine["mean"].to_numpy(), color=colour, alpha=paler,
            ls=LINES[place % len(LINES)], label=adapters.short(each), gid=f"curve {each.arm}",
        )  # fmt: skip
        low, high = mine["min"].to_numpy(), mine["max"].to_numpy()
        axes.fill_between(steps, low, high, color=colour, alpha=0.12, lw=0)


def _zoom(axes: Axes, drawn: pd.DataFrame) -> None:
    """Let the first steps run out at the top, where they would flatten all that follows."""
    later = drawn[drawn["step"] >= FIRST_SHOWN * drawn["step"].max()]["value"]
    if len(later):
        space = 0.04 * (later.max() - later.min() or 1.0)
        axes.set_ylim(later.min() - space, later.max() + space)


def _note(curves: pd.DataFrame) -> list[str]:
    seeds = curves["seed"].nunique()
    notes = [
        f"Lines: mean over {seeds} seeds; bands: lowest to highest seed."
        if seeds > 1
        else "One seed, so no bands."
    ]
    width = smoothing_steps(curves)
    if width > 1:
        notes.append(f"Training loss: running mean over {width} steps.")
    notes.append(f"Its first {FIRST_SHOWN:.0%} of the steps may lie above the panel.")
    notes.append(adapters.NAMES_NOTE)
    notes.append("Level line: the base without an adapter.")
    return notes
