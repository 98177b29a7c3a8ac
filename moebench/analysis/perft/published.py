"""The published adapters on the axis they belong on, and which published statements survive it.

A statement is that one variant is better than another, or more adapters per token better than
fewer. It is read in two ways. At an equal setting: the best of either at each value that both have.
Within a budget: the best of either that costs no more, at each cost at which one of them has a
point and both have something to show. It survives where it holds at every value.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from moebench import tables
from moebench.analysis import frontier
from moebench.analysis.perft.schemas import PUBLISHED, STATEMENTS

BETTER = (("routed", "embedded"), ("embedded", "single"), ("routed", "single"))
RANK, EFFICIENCY, ACTIVATED = "rank", "published_efficiency", "num_activated_lora_params"
LOSSES: dict[str, Callable[[pd.DataFrame], "pd.Series[float]"]] = {
    "as published": lambda runs: runs["eval_loss_nats"],
    "own auxiliary loss removed": lambda runs: runs["eval_loss_nats"] - runs["own_aux_loss_nats"],
}

Holds = list[tuple[str, bool]]  # where two were compared, and whether the first was better


def redraw(published: pd.DataFrame) -> pd.DataFrame:
    """The published runs with their perplexity and their place on both frontiers."""
    table = published.assign(ppl=np.exp(published["eval_loss_nats"]))
    loss_A = table["eval_loss_nats"].to_numpy(float)
    everyone_A = np.ones(len(table), dtype=bool)
    for name, axis in (("on_published_frontier", EFFICIENCY), ("on_frontier", ACTIVATED)):
        cost_A = table[axis].to_numpy(float)
        table[name] = frontier.on_frontier(loss_A, -cost_A, everyone_A)
    return tables.check(table, PUBLISHED)


def statements(published: pd.DataFrame) -> pd.DataFrame:
    """One line per statement, reading and loss: where it was tried, and where it held."""
    lines = []
    for loss, of in LOSSES.items():
        runs = published.assign(loss=of(published))
        for a, b in BETTER:
            first, second = (runs[runs["variant"] == name] for name in (a, b))
            for axis in (RANK, EFFICIENCY, ACTIVATED):
                holds = at_equal(first, second) if axis == RANK else within(first, second, axis)
                lines.append(_line(f"{a} is better than {b}", axis, loss, holds))
        lines.append(_line("more adapters per token are better", "top_k", loss, by_top_k(runs)))
    return tables.check(pd.DataFrame(lines), STATEMENTS)


def at_equal(first: pd.DataFrame, second: pd.DataFrame) -> Holds:
    """Best against best at each rank that both have."""
    best = [runs.groupby(RANK)["loss"].min() for runs in (first, second)]
    common = best[0].index.intersection(best[1].index)
    return [(f"rank {rank}", bool(best[0][rank] < best[1][rank])) for rank in common]


def within(first: pd.DataFrame, second: pd.DataFrame, axis: str) -> Holds:
    """Best against best within each budget at which either has a point."""
    holds = []
    for budget in sorted({*first[axis], *second[axis]}):
        affordable = [runs[runs[axis] <= budget]["loss"] for runs in (first, second)]
        if not any(runs.empty for runs in affordable):
            holds.append((f"{budget:,.10g}", bool(affordable[0].min() < affordable[1].min())))
    return holds


def by_top_k(runs: pd.DataFrame) -> Holds:
    """Two adapters per token against one, at equal rank and number; means over repeats."""
    routed = runs[runs["variant"] == "routed"]
    wide = routed.pivot_table(index=[RANK, "num_adapters"], columns="top_k", values="loss")
    places: Any = wide.index
    return [
        (f"rank {rank}, {number} adapters", bool(losses[2] < losses[1]))
        for (rank, number), losses in zip(places, wide.to_dict("records"), strict=True)
    ]


def _line(statement: str, axis: str, loss: str, holds: Holds) -> dict[str, object]:
    against = [where for where, is_held in holds if not is_held]
    return {
        "statement": statement,
        "axis": axis,
        "loss": loss,
        "num_compared": len(holds),
        "num_held": len(holds) - len(against),
        "survives": not against,
        "fails_at": "; ".join(against) or None,
    }
