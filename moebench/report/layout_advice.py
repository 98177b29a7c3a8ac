"""Advice: which layout to take on this machine, and what would have to change for another."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from moebench.figures import layouts
from moebench.figures.notes import join
from moebench.report import rst

SETTING = ["world_size", "direction"]


def advice(regimes: pd.DataFrame, borders: pd.DataFrame, predictions: pd.DataFrame) -> list[str]:
    """One or two sentences per number of ranks and direction."""
    sentences = []
    for (ranks, direction), sizes in regimes.groupby(SETTING, sort=True):
        sentences.append(_winners(f"{ranks}", str(direction), sizes))
        here = (borders["world_size"] == ranks) & (borders["direction"] == direction)
        if ranks != 1:  # on one rank all distributed layouts are one
            sentences += _would_change(borders[here])
    return [*sentences, *_with_own_cores(predictions)]


def _winners(ranks: str, direction: str, sizes: pd.DataFrame) -> str:
    """Who wins how often, and where each winner's sizes lie."""
    clear = sizes[~sizes["is_tie"]]
    won = [
        f"{layouts.label(name)} at {len(clear[clear['fastest_layout'] == name])}"
        f" ({_extent(clear[clear['fastest_layout'] == name])})"
        for name in clear["fastest_layout"].value_counts().index
    ]
    ties = sizes[sizes["is_tie"]]
    if len(ties):
        won.append(f"a tie at {len(ties)} ({_extent(ties)})")
    crowded = ", which share cores" if sizes["oversubscribed"].all() else ""
    return (
        f"At {ranks} {'rank' if ranks == '1' else 'ranks'}{crowded}, "
        f"{layouts.DIRECTIONS[direction]}, the fastest of {len(sizes)} measured "
        f"{'size' if len(sizes) == 1 else 'sizes'}: "
        f"{'; '.join(won)}."
    )


def _extent(sizes: pd.DataFrame) -> str:
    words = [
        f"{name} {rst.span(sizes[column])}"
        for name, column in (("batch", "batch_size"), ("width", "feature_dim"))
    ]
    return ", ".join(words)


def _would_change(grid: pd.DataFrame) -> Iterator[str]:
    """Batches at which the model expects another layout to take over, at some widths."""
    fixed = ["num_experts", "top_k", "communicator", "backend", "hidden_dim", "output_dim"]
    for key, panel in grid.groupby(fixed, sort=True):
        found = list(_takeovers(panel))
        experts, top_k = key[0], key[1]
        if found:
            yield (
                f"For {experts} experts and top-k {top_k} the model expects the first change of "
                f"the fastest layout at {join(found)}."
            )
        else:
            names = layouts.order(panel["predicted_fastest_layout"])
            yield (
                f"For {experts} experts and top-k {top_k} the model expects no change "
                f"for batches {rst.span(panel['batch_size'])}: "
                f"{join([layouts.label(name) for name in names])}."
            )


def _takeovers(panel: pd.DataFrame) -> Iterator[str]:
    widths = sorted(panel["feature_dim"].unique())
    for width in dict.fromkeys((widths[0], widths[len(widths) // 2], widths[-1])):
        line = panel[panel["feature_dim"] == width].sort_values("batch_size")
        names, batches = list(line["predicted_fastest_layout"]), list(line["batch_size"])
        for before, after, batch in zip(names, names[1:], batches[1:], strict=False):
            if before != after:
                yield (
                    f"batch {batch} for width {width} ({layouts.label(after)} takes over from "
                    f"{layouts.label(before)})"
                )
                break


def _with_own_cores(predictions: pd.DataFrame) -> Iterator[str]:
    """What the model expects where every rank has a core and a link of its own."""
    for (link, direction), group in predictions[predictions["scaling"] == "fixed"].groupby(
        ["link", "direction"], sort=False
    ):
        fastest = group.loc[group.groupby("world_size")["predicted_duration_s"].idxmin()]
        words = [
            f"{layouts.label(each['layout'])} at {rst.span(each['ranks'])} ranks"
            for each in _stretches(fastest.sort_values("world_size"))
        ]
        yield (
            f"Predicted, not measured: with a core for each rank and {str(link).replace('_', ' ')}"
            f" between them, {layouts.DIRECTIONS[str(direction)]}, the largest measured work "
            f"would be fastest with {join(words)}."
        )


def _stretches(fastest: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Numbers of ranks, one after the other, at which one layout is fastest."""
    changes = fastest["layout"].ne(fastest["layout"].shift()).cumsum()
    for _, stretch in fastest.groupby(changes, sort=True):
        yield {"layout": stretch["layout"].iloc[0], "ranks": stretch["world_size"]}
