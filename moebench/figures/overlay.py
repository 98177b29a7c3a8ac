"""Learning curves: training loss, held-out loss and perplexity against steps, over all seeds."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D

from moebench.figures import style
from moebench.figures.base import ArmFigure, Tables, lowest
from moebench.figures.notes import join, write_below
from moebench.figures.smoothing import FIRST_SHOWN, bands, factors, smoothing_steps

PANELS = {
    "train_loss_nats": "training loss\nin nats",
    "val_nll_nats": "held-out loss\nin nats",
    "val_ppl": "held-out\nperplexity",
}
SMOOTHED = "train_loss_nats"


class Overlay(ArmFigure):
    """A column per capacity factor, a row per quantity, a line and a band per router."""

    title = "How do the models learn?"
    columns = {
        "curves": ("router", "capacity_factor", "seed", "step", "quantity", "value"),
        "summary": ("router", "capacity_factor", "causality", "val_ppl_causal"),
    }

    def draw(self, tables: Tables) -> Canvas:
        """Draw lines at the mean of the seeds, bands from the lowest to the highest seed."""
        curves = smoothed(tables["curves"])
        columns = factors(curves)
        canvas = Canvas(figsize=(style.WIDTH_IN, 8.8))
        grid = canvas.subplots(
            len(PANELS), len(columns), sharex=True, sharey="row", squeeze=False,
            gridspec_kw={"left": 0.105, "right": 0.985, "top": 0.865, "bottom": 0.115,
                         "hspace": 0.09, "wspace": 0.05},
        )  # fmt: skip
        for axes_F, (quantity, title) in zip(grid, PANELS.items(), strict=True):
            axes_F[0].set_ylabel(title)
            for axes, factor in zip(axes_F, columns, strict=True):
                _panel(axes, bands(curves, quantity, factor))
            _zoom(axes_F[0], curves[curves["quantity"] == quantity])
        for axes, factor in zip(grid[0], columns, strict=True):
            axes.set_title("dense" if pd.isna(factor) else f"capacity factor {float(factor)}")
        for axes in grid[-1]:
            axes.set_xlabel("optimiser step")
        handles = _legend(tables["summary"])
        canvas.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.53, 1.0), ncols=3)
        write_below(canvas, _note(tables["curves"]))
        return canvas

    def caption(self, tables: Tables) -> str:
        """Name the arm that ends lowest."""
        cells = tables["summary"].dropna(subset=["val_ppl_causal"])
        text = ["Learning curves of every router, one column per capacity factor."]
        if len(cells):
            best = lowest(cells, "val_ppl_causal")
            name = style.cell(best.router, best.capacity_factor)
            text.append(
                "The lowest mean perplexity at the end, without later tokens, is "
                f"{best.val_ppl_causal:.2f}: {name}."
            )
        looking = cells.loc[cells["causality"] == style.NON_CAUSAL, "router"]
        if len(looking):
            names = join(map(style.label, style.order(looking)))
            text.append(f"Curves of {names} are read with later tokens in view.")
        return " ".join([*text, *_note(tables["curves"])])


def smoothed(curves: pd.DataFrame) -> pd.DataFrame:
    """Curves with the loss of single batches replaced by a centred running mean, per run."""
    noisy = curves["quantity"] == SMOOTHED
    width = smoothing_steps(curves)
    runs = (
        curves[noisy]
        .sort_values("step")
        .groupby(["router", "capacity_factor", "seed"], dropna=False, sort=True)
    )
    means = runs["value"].transform(
        lambda values: values.rolling(width, center=True, min_periods=1).mean()
    )
    result = curves.copy()
    result["value"] = result["value"].astype(float)
    result.loc[means.index, "value"] = means
    return result


def _panel(axes: Axes, chosen: pd.DataFrame) -> None:
    for router in style.order(chosen["router"]):
        mine = chosen[chosen["router"] == router]
        steps = mine["step"].to_numpy()
        axes.plot(steps, mine["mean"].to_numpy(), gid=f"curve {router}", **style.line(router))
        axes.fill_between(
            steps,
            mine["min"].to_numpy(),
            mine["max"].to_numpy(),
            color=style.look(router).colour,
            alpha=0.15,
            lw=0,
        )
    if len(chosen) and chosen["step"].nunique() <= 12:  # scored now and then: show when
        for router in style.order(chosen["router"]):
            mine = chosen[chosen["router"] == router]
            colour = style.look(router).colour
            axes.plot(mine["step"], mine["mean"], ls="", marker=".", ms=5, color=colour)


def _zoom(axes: Axes, drawn: pd.DataFrame) -> None:
    """Let the first steps run out at the top, where they would flatten all that follows."""
    later = drawn[drawn["step"] >= FIRST_SHOWN * drawn["step"].max()]["value"]
    if len(later):
        space = 0.04 * (later.max() - later.min() or 1.0)
        axes.set_ylim(later.min() - space, later.max() + space)


def _legend(summary: pd.DataFrame) -> list[Line2D]:
    causality = dict(zip(summary["router"], summary["causality"], strict=True))
    return [
        Line2D([], [], label=style.label(router, causality[router]), **style.line(router))
        for router in style.order(causality)
    ]


def _note(curves: pd.DataFrame) -> list[str]:
    width = smoothing_steps(curves)
    seeds = curves["seed"].nunique()
    notes = [
        f"Lines: mean over {seeds} seeds; bands: lowest to highest seed."
        if seeds > 1
        else "One seed, so no bands."
    ]
    if width > 1:
        notes.append(f"Training loss: running mean over {width} steps.")
    notes.append(f"The first {FIRST_SHOWN:.0%} of the steps may lie above a panel.")
    if curves["capacity_factor"].isna().any() and curves["capacity_factor"].notna().any():
        notes.append("Dense networks have no capacity; they are repeated in every column.")
    absent = sorted(set(PANELS) - set(curves.dropna(subset=["value"])["quantity"]))
    if absent:
        notes.append(f"Not drawn, for want of a measure: {join(absent)}.")
    return notes
